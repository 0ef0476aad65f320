import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from eisbach.adapters.paired import PairedAdapters
from eisbach.cli import main
from eisbach.models import small
from eisbach.models.hub import WEIGHTS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An adapter of the shipped base in PEFT's layout, with the conditioner's layer."""
    model = small.load()
    adapters = PairedAdapters(
        model.model.model, ["a"], "dora", 2, 4.0, conditioner=model.conditioner, train_conditioner=True
    )
    for parameter in adapters.parameters("a").values():
        parameter.data.add_(0.01)
    path = tmp_path_factory.mktemp("adapter") / "peft"
    adapters.save("a", path)
    return path


def test_info_prints_what_the_adapter_is(folder, capsys):
    main(["adapter", "info", str(folder)])
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if "norm" not in line)
    assert (rows["format"], rows["type"], rows["rank"], rows["alpha"]) == ("PEFT", "dora-rows", "2", "4")
    assert rows["layers"] == "48 of the DiT, 1 of the conditioner"
    tensors = (
        load_file(folder / "adapter_model.safetensors"),
        load_file(folder / "conditioner" / "adapter_model.safetensors"),
    )
    assert rows["parameters"] == f"{sum(tensor.numel() for part in tensors for tensor in part.values()):,}"


def test_exporting_and_importing_changes_no_bit(folder, tmp_path, capsys):
    main(["adapter", "export", str(folder), str(tmp_path / "a.safetensors")])
    main(["adapter", "import", str(tmp_path / "a.safetensors"), str(tmp_path / "back")])
    assert capsys.readouterr().out.split() == [str(tmp_path / "a.safetensors"), str(tmp_path / "back")]
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    assert len(files) >= 4
    for file in files:
        assert (folder / file).read_bytes() == (tmp_path / "back" / file).read_bytes()
    with safe_open(tmp_path / "a.safetensors", "pt") as file:
        assert json.loads(file.metadata()["lora_config"])["exclude"] is None


def test_merge_changes_the_shipped_base_by_the_strength(folder, tmp_path, capsys):
    for strength in ("0", "0.5", "1"):
        main(["adapter", "merge", f"{folder}:{strength}", "--output", str(tmp_path / strength)])
        assert "49 layers changed" in capsys.readouterr().out
    base, none, half, whole = (
        load_file(path / WEIGHTS) for path in (small.BASE, tmp_path / "0", tmp_path / "0.5", tmp_path / "1")
    )
    assert all(torch.equal(base[name], none[name]) for name in base)
    name = "model.model.transformer.project_in.weight"
    assert not torch.equal(half[name], whole[name])
    small.load(tmp_path / "1")


@pytest.mark.parametrize("words", [[], ["show"], ["info"], ["export", "a"], ["merge", "a"]])
def test_other_words_are_refused_with_a_usage_line(words, capsys):
    with pytest.raises(SystemExit) as refusal:
        main(["adapter", *words])
    assert refusal.value.code == 2
    assert "usage: eisbach adapter" in capsys.readouterr().err


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(SystemExit, match=r"error: .*x\.safetensors is missing; name an adapter"):
        main(["adapter", "info", str(tmp_path / "x.safetensors")])
