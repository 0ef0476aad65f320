"""PEFT's own reader is the oracle for what is written."""

import copy
import json
import warnings

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from eisbach.adapters import peft_format
from eisbach.adapters.paired import PairedAdapters
from eisbach.errors import UserError

KINDS = ["lora", "dora"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_adapter_acts_alike_in_another_arm(tmp_path, tiny_model, velocity, perturb, kind):
    adapters = PairedAdapters(tiny_model.model.model, ["a", "b"], kind, 4, 4.0)
    perturb(adapters, "a")
    adapters.activate("a")
    wanted = velocity(tiny_model)
    adapters.activate("b")
    assert not torch.allclose(velocity(tiny_model), wanted)
    adapters.save("a", tmp_path / "adapter")
    adapters.load("b", tmp_path / "adapter")
    assert torch.equal(velocity(tiny_model), wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_reading_returns_what_was_written(tmp_path, tiny_model, perturb, kind):
    adapters = PairedAdapters(tiny_model.model.model, ["a"], kind, 4, 6.0)
    perturb(adapters, "a")
    adapters.save("a", tmp_path / "adapter")
    read = peft_format.read(tmp_path / "adapter")
    assert (read.kind, read.rank, read.alpha, read.dropout) == (kind, 4, 6.0, 0.0)
    wanted = adapters.state("a")
    assert read.tensors.keys() == wanted.keys()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in read.tensors.items())


@pytest.mark.parametrize("kind", KINDS)
def test_the_config_states_rank_and_kind(tmp_path, tiny_model, kind):
    PairedAdapters(tiny_model.model.model, ["a"], kind, 4, 6.0).save("a", tmp_path / "adapter")
    saved = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert (saved["r"], saved["lora_alpha"], saved["use_dora"]) == (4, 6.0, kind == "dora")


def test_saving_twice_gives_the_same_bytes(tmp_path, tiny_model):
    adapters = PairedAdapters(tiny_model.model.model, ["a"], "dora", 4, 4.0)
    for name in ("one", "two"):
        adapters.save("a", tmp_path / name)
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_peft_loads_a_saved_adapter_and_gives_the_same_velocity(tmp_path, tiny_model, velocity, perturb, kind):
    plain = copy.deepcopy(tiny_model)
    untrained = velocity(plain)
    adapters = PairedAdapters(tiny_model.model.model, ["a"], kind, 4, 6.0)
    perturb(adapters, "a")
    adapters.save("a", tmp_path / "adapter")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # PEFT only warns of tensors that it does not find
        PeftModel.from_pretrained(plain.model.model, tmp_path / "adapter")
    wanted = velocity(tiny_model)
    torch.testing.assert_close(velocity(plain), wanted, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(untrained, wanted, atol=1e-2)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(UserError, match=r"has no adapter_config\.json and no adapter_model\.safetensors; run"):
        peft_format.read(tmp_path)
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match=r"has no adapter_model\.safetensors; run"):
        peft_format.read(tmp_path)


def without(state, name):
    return {key: tensor for key, tensor in state.items() if key != name}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda state, name: {**state, name: state[name][:3]},
            r"in\.lora_A\.weight' in .* has shape \(3, 6\), but adapter_config\.json gives the layer rank 4",
        ),
        (without, r"'transformer\.project_in' in .* has no lora_A\.weight"),
        (
            lambda state, name: {**state, "nowhere.lora_A.weight": torch.ones(4, 6)},
            "adapts 'nowhere', which is in no part of a Stable Audio 3 model",
        ),
        (lambda state, name: {**state, "odd": torch.ones(1)}, "'odd', which is no tensor of a LoRA or DoRA"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(tmp_path, tiny_model, change, said):
    adapters = PairedAdapters(tiny_model.model.model, ["a"], "lora", 4, 4.0)
    adapters.save("a", tmp_path / "adapter")
    path = tmp_path / "adapter" / "adapter_model.safetensors"
    state = load_file(path)
    name = next(name for name in state if "project_in.lora_A" in name)
    save_file(change(state, name), path)
    with pytest.raises(UserError, match=said):
        adapters.load("a", tmp_path / "adapter")
