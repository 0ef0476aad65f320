"""Stability's own parametrisation is the oracle for every kind of adapter."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stable_audio_tools.models.lora import LoRAParametrization, load_and_apply_loras

from eisbach.adapters.imported import use_adapter
from eisbach.adapters.kinds import CORE, MAGNITUDE, TENSORS, adapted_weight
from eisbach.adapters.paired import PairedAdapters
from eisbach.adapters.sa3_format import FROM_SA3, import_adapter, read, write
from eisbach.errors import UserError
from tests.eisbach.adapters import stability


def theirs(kind):
    return "dora-rows" if kind == "dora" else kind


@pytest.mark.parametrize("kind", TENSORS)
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 999), rank=st.integers(1, 4), strength=st.sampled_from([0.0, 0.3, 1.0, 2.0]))
def test_every_kind_gives_stability_s_weight(kind, seed, rank, strength):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(6, 5, generator=generator)
    layer = LoRAParametrization(5, 6, rank=rank, lora_alpha=3.0, adapter_type=theirs(kind), W0=weight)
    parts = {}
    for name, tensor in layer.named_parameters():
        tensor.data.add_(torch.randn(tensor.shape, generator=generator))
        parts[FROM_SA3[name]] = tensor.data
    layer.lora_strength.fill_(strength)
    assert set(parts) == set(TENSORS[kind])
    made = adapted_weight(kind, weight, parts, 3.0 / rank, strength=strength)
    torch.testing.assert_close(made, layer(weight).detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", TENSORS)
def test_a_file_of_every_kind_gives_the_velocity_of_stability_s_loader(tmp_path, tiny_model, velocity, kind):
    author, base = copy.deepcopy(tiny_model), velocity(tiny_model)
    stability.add(author, theirs(kind))
    stability.fill(author)
    path = stability.save(author, tmp_path / "theirs.safetensors", theirs(kind))
    loaded = copy.deepcopy(tiny_model)
    load_and_apply_loras(loaded, [path], "diffusion_cond_inpaint")
    wanted = velocity(loaded)
    adapters = PairedAdapters(tiny_model.model.model, ["a"], "dora", 4, 6.0, conditioner=tiny_model.conditioner)
    with use_adapter(adapters, path):
        torch.testing.assert_close(velocity(tiny_model), wanted, rtol=1e-5, atol=2e-5)
    assert not torch.allclose(wanted, base, atol=1e-2)


@pytest.mark.parametrize("kind", TENSORS)
def test_reading_and_writing_a_file_of_every_kind_changes_no_tensor(tmp_path, tiny_model, kind):
    stability.add(tiny_model, theirs(kind))
    stability.fill(tiny_model)
    once = read(stability.save(tiny_model, tmp_path / "a.safetensors", theirs(kind)))
    write(tmp_path / "b.safetensors", once)
    twice = read(tmp_path / "b.safetensors")
    assert (once.kind, once.rank, once.alpha) == (twice.kind, twice.rank, twice.alpha) == (kind, 4, 6.0)
    assert all(torch.equal(tensor, twice.tensors[name]) for name, tensor in once.tensors.items())


def test_singular_vectors_in_the_file_are_used(tmp_path):
    generator = torch.Generator().manual_seed(0)
    weight, left, right = (torch.randn(shape, generator=generator) for shape in ((6, 5), (6, 2), (5, 2)))
    parts = {CORE: torch.eye(2), "U": left, "V": right}
    made = adapted_weight("lora-xs", weight, parts, 0.5)
    torch.testing.assert_close(made, weight + 0.5 * left @ right.T)
    assert MAGNITUDE not in TENSORS["lora-xs"]


@pytest.mark.parametrize("kind", ["dora-cols", "bora", "lora-xs"])
def test_a_kind_that_peft_does_not_have_is_refused_by_name(tmp_path, tiny_model, kind):
    stability.add(tiny_model, kind)
    path = stability.save(tiny_model, tmp_path / "a.safetensors", kind)
    with pytest.raises(UserError, match=f"PEFT has no adapter of type '{kind}'"):
        import_adapter(path, tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_the_early_type_dora_is_told_by_the_shape_of_its_magnitudes(tmp_path, tiny_model):
    from safetensors.torch import load_file, save_file

    for kind, axis, wanted in (("dora-cols", 0, "dora-cols"), ("dora-rows", 1, "dora"), ("dora-rows", None, "dora")):
        model = copy.deepcopy(tiny_model)
        stability.add(model, kind)
        path = stability.save(model, tmp_path / "a.safetensors", kind)
        tensors = {
            name: tensor.unsqueeze(axis) if name.endswith("magnitude") and axis is not None else tensor
            for name, tensor in load_file(path).items()
        }
        save_file(tensors, path, {"lora_config": '{"rank": 4, "alpha": 6.0, "adapter_type": "dora"}'})
        assert read(path).kind == wanted
