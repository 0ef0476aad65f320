import copy
import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from stable_audio_tools.models.lora import get_lora_layers, load_and_apply_loras
from stable_audio_tools.models.lora.utils import save_lora_safetensors

from eisbach.adapters.paired import PairedAdapters
from eisbach.adapters.sa3_format import export_adapter, import_adapter, main
from eisbach.errors import UserError
from eisbach.models.velocity import predict

KINDS = [("lora", "lora"), ("dora", "dora-rows")]


def velocity(model, archive):
    clips = archive.rows(torch.arange(3))
    x = torch.randn(clips.latents.shape, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        return predict(model, x, torch.tensor([0.1, 0.5, 0.9]), clips)


def trained_like(model, kind):
    """Adapters that no longer are at their starting point."""
    adapters = PairedAdapters(model.model.model, ["a"], kind, 4, 6.0)
    with torch.no_grad():
        for parameter in adapters.parameters("a").values():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(7)))
    return adapters


@pytest.mark.parametrize(("kind", "theirs"), KINDS)
def test_stability_s_loader_reproduces_our_velocity(tmp_path, tiny_model, tiny_archive, kind, theirs):
    plain = copy.deepcopy(tiny_model)
    untouched = velocity(plain, tiny_archive)
    trained_like(tiny_model, kind).save("a", tmp_path / "adapter")
    ours = velocity(tiny_model, tiny_archive)
    export_adapter(tmp_path / "adapter", tmp_path / "adapter.safetensors")
    load_and_apply_loras(plain, [tmp_path / "adapter.safetensors"], "diffusion_cond_inpaint")
    assert get_lora_layers(plain)[0][1].adapter_type == theirs
    torch.testing.assert_close(velocity(plain, tiny_archive), ours, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(untouched, ours, atol=1e-2)


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_there_and_back_changes_no_bit(tmp_path, tiny_model, kind):
    adapters = trained_like(tiny_model, kind)
    adapters.save("a", tmp_path / "one")
    export_adapter(tmp_path / "one", tmp_path / "file.safetensors")
    import_adapter(tmp_path / "file.safetensors", tmp_path / "two")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    adapters.load("a", tmp_path / "two")


@pytest.mark.parametrize(("kind", "theirs"), KINDS)
def test_an_adapter_as_stability_saves_it_is_imported(tmp_path, tiny_model, tiny_archive, kind, theirs):
    """Half precision, with the inert adapter of the conditioner and the dropout masks that its state holds."""
    author, model = copy.deepcopy(tiny_model), copy.deepcopy(tiny_model)
    trained_like(tiny_model, kind).save("a", tmp_path / "adapter")
    export_adapter(tmp_path / "adapter", tmp_path / "exact.safetensors")
    load_and_apply_loras(author, [tmp_path / "exact.safetensors"], "diffusion_cond_inpaint")
    state = {
        name: tensor
        for part in (author.model, author.conditioner)
        for name, tensor in part.state_dict().items()
        if ".parametrizations.weight.0." in name
    }
    assert any("conditioners" in name for name in state)
    config = {"rank": 4, "alpha": 6.0, "adapter_type": theirs, "dropout": 0.0, "include": None, "exclude": None}
    save_lora_safetensors(state, config, tmp_path / "theirs.safetensors")
    import_adapter(tmp_path / "theirs.safetensors", tmp_path / "imported")
    wanted = velocity(author, tiny_archive)
    adapters = PairedAdapters(model.model.model, ["a"], kind, 4, 6.0)
    adapters.load("a", tmp_path / "imported")
    torch.testing.assert_close(velocity(model, tiny_archive), wanted, rtol=5e-3, atol=5e-3)  # fp16's rounding


def written(path, kind="lora", **tensors):
    layer = "model.to_cond_embed.0.parametrizations.weight.0."
    state = {layer + "lora_A": torch.ones(2, 3), layer + "lora_B": torch.ones(4, 2)}
    metadata = {"lora_config": json.dumps({"rank": 2, "adapter_type": kind})} if kind else None
    save_file({**state, **{key.replace("__", "."): value for key, value in tensors.items()}}, path, metadata=metadata)


def test_what_cannot_be_imported_is_said(tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(UserError, match="missing"):
        import_adapter(path, tmp_path / "y")
    cases = {
        "'bora'": {"kind": "bora"},
        "'dora-cols'": {"kind": "dora", "model__a__parametrizations__weight__0__magnitude": torch.ones(1, 3)},
        "not a Stable Audio 3 adapter": {"kind": ""},
        "changes the conditioner": {"conditioners__s__parametrizations__weight__0__lora_B": torch.ones(4, 2)},
        "holds 'model.strange'": {"model__strange": torch.ones(1)},
    }
    for message, given in cases.items():
        written(path, **given)
        with pytest.raises(UserError, match=message):
            import_adapter(path, tmp_path / "y")
    assert not (tmp_path / "y").exists()
    with pytest.raises(UserError, match=r"adapter_config\.json is missing"):
        export_adapter(tmp_path, path)


def test_the_command(tmp_path, tiny_model, monkeypatch):
    trained_like(tiny_model, "dora").save("a", tmp_path / "one")
    monkeypatch.setattr("sys.argv", ["sa3_format", "export", str(tmp_path / "one"), str(tmp_path / "file")])
    main()
    with safe_open(tmp_path / "file", "pt") as file:
        facts = json.loads(file.metadata()["lora_config"])
    assert facts == {
        "rank": 4,
        "alpha": 6.0,
        "adapter_type": "dora-rows",
        "dropout": 0.0,
        "include": None,
        "exclude": None,
    }
    monkeypatch.setattr("sys.argv", ["sa3_format", "import", str(tmp_path / "file"), str(tmp_path / "two")])
    main()
    assert (tmp_path / "two" / "adapter_config.json").is_file()
    monkeypatch.setattr("sys.argv", ["sa3_format"])
    with pytest.raises(UserError, match="give `export"):
        main()
