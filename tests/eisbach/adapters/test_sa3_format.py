"""Stability's own loader and saver of adapters are the oracle."""

import copy
import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from stable_audio_tools.models.lora import get_lora_layers, load_and_apply_loras
from stable_audio_tools.models.lora.utils import save_lora_safetensors

from eisbach.adapters.paired import PairedAdapters
from eisbach.adapters.sa3_format import export_adapter, import_adapter
from eisbach.errors import UserError

KINDS = [("lora", "lora"), ("dora", "dora-rows")]
SETTINGS = {"rank": 4, "alpha": 6.0, "dropout": 0.0, "include": None, "exclude": ["seconds_total"]}


def adapters_of(model, kind, conditioner=False):
    return PairedAdapters(
        model.model.model, ["a"], kind, 4, 6.0, conditioner=model.conditioner, train_conditioner=conditioner
    )


@pytest.fixture
def trained(perturb):
    """trained(model, kind, conditioner=False): an adapter in `model` that is no longer untrained."""

    def of(model, kind, conditioner=False):
        adapters = adapters_of(model, kind, conditioner)
        perturb(adapters, "a")
        return adapters

    return of


@pytest.mark.parametrize(("kind", "theirs"), KINDS)
def test_stability_s_loader_reproduces_our_velocity(tmp_path, tiny_model, velocity, trained, kind, theirs):
    plain = copy.deepcopy(tiny_model)
    untouched = velocity(plain)
    trained(tiny_model, kind).save("a", tmp_path / "adapter")
    ours = velocity(tiny_model)
    export_adapter(tmp_path / "adapter", tmp_path / "adapter.safetensors")
    load_and_apply_loras(plain, [tmp_path / "adapter.safetensors"], "diffusion_cond_inpaint")
    assert get_lora_layers(plain)[0][1].adapter_type == theirs
    torch.testing.assert_close(velocity(plain), ours, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(untouched, ours, atol=1e-2)


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_exporting_and_importing_changes_no_bit(tmp_path, tiny_model, trained, kind):
    adapters = trained(tiny_model, kind)
    adapters.save("a", tmp_path / "one")
    export_adapter(tmp_path / "one", tmp_path / "file.safetensors")
    import_adapter(tmp_path / "file.safetensors", tmp_path / "two")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize(("kind", "theirs"), KINDS)
def test_an_adapter_written_by_stability_s_saver_is_imported(tmp_path, tiny_model, velocity, trained, kind, theirs):
    """In half precision, with the adapter of the conditioner and the dropout masks that its state holds."""
    author, model = copy.deepcopy(tiny_model), copy.deepcopy(tiny_model)
    trained(tiny_model, kind, conditioner=True).save("a", tmp_path / "adapter")
    export_adapter(tmp_path / "adapter", tmp_path / "exact.safetensors")
    load_and_apply_loras(author, [tmp_path / "exact.safetensors"], "diffusion_cond_inpaint")
    state = {
        name: tensor
        for part in (author.model, author.conditioner)
        for name, tensor in part.state_dict().items()
        if ".parametrizations.weight.0." in name
    }
    assert any("conditioners" in name for name in state)
    save_lora_safetensors(state, SETTINGS | {"adapter_type": theirs, "exclude": None}, tmp_path / "theirs.safetensors")
    import_adapter(tmp_path / "theirs.safetensors", tmp_path / "imported")
    untouched, wanted = velocity(model), velocity(author)
    adapters_of(model, kind, conditioner=True).load("a", tmp_path / "imported")
    torch.testing.assert_close(velocity(model), wanted, rtol=5e-3, atol=5e-3)  # fp16's rounding
    assert not torch.allclose(untouched, wanted, atol=5e-2)


def write_file(path, kind="lora", **tensors):
    """A minimal adapter; `tensors` are added under their names, "__" standing for "."."""
    layer = "model.to_cond_embed.0.parametrizations.weight.0."
    state = {layer + "lora_A": torch.ones(2, 3), layer + "lora_B": torch.ones(4, 2)}
    metadata = {"lora_config": json.dumps({"rank": 2, "adapter_type": kind})} if kind else None
    save_file({**state, **{key.replace("__", "."): value for key, value in tensors.items()}}, path, metadata=metadata)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kind": "hora"}, "type 'hora'"),
        ({"kind": "bora"}, "has no magnitude_r, which an adapter of type 'bora' needs"),
        ({"kind": ""}, "not a Stable Audio 3 adapter"),
        ({"conditioners__s__parametrizations__weight__0__lora_B": torch.ones(4, 2)}, "has no lora_A"),
        ({"model__strange": torch.ones(1)}, r"holds 'model\.strange'"),
    ],
)
def test_an_adapter_that_cannot_be_imported_is_refused_and_nothing_is_written(tmp_path, given, said):
    write_file(tmp_path / "x.safetensors")
    import_adapter(tmp_path / "x.safetensors", tmp_path / "fine")
    write_file(tmp_path / "x.safetensors", **given)
    with pytest.raises(UserError, match=said):
        import_adapter(tmp_path / "x.safetensors", tmp_path / "y")
    assert not (tmp_path / "y").exists()


def test_a_file_without_low_rank_tensors_is_refused(tmp_path):
    save_file({"weight": torch.ones(2)}, tmp_path / "x.safetensors", metadata={"lora_config": "{}"})
    with pytest.raises(UserError, match=r"holds 'weight', which is no tensor of a LoRA"):
        import_adapter(tmp_path / "x.safetensors", tmp_path / "y")


def test_a_missing_file_to_import_is_named(tmp_path):
    with pytest.raises(UserError, match=r"x\.safetensors is missing"):
        import_adapter(tmp_path / "x.safetensors", tmp_path / "y")


def test_missing_files_to_export_are_named(tmp_path):
    with pytest.raises(UserError, match=r"has no adapter_config\.json and no adapter_model\.safetensors"):
        export_adapter(tmp_path, tmp_path / "x.safetensors")


def test_the_exported_settings_are_stability_s(tmp_path, tiny_model, trained):
    trained(tiny_model, "dora").save("a", tmp_path / "one")
    export_adapter(tmp_path / "one", tmp_path / "file")
    with safe_open(tmp_path / "file", "pt") as file:
        assert json.loads(file.metadata()["lora_config"]) == SETTINGS | {"adapter_type": "dora-rows"}
