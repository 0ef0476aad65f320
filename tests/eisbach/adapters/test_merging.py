"""A merged checkpoint against Stability's loader with several adapters and strengths."""

import copy
import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from stable_audio_tools.models.lora import load_and_apply_loras, set_lora_strength

from eisbach.adapters.merging import merge
from eisbach.errors import UserError
from eisbach.models import small
from tests.conftest import tiny_config
from tests.eisbach.adapters import stability


@pytest.fixture
def base(tmp_path, tiny_model):
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "model_config.json").write_text(json.dumps(tiny_config(small)))
    small.save(tiny_model, folder / "model.safetensors", torch.float32)
    return folder


@pytest.fixture
def file(tmp_path, tiny_model):
    """file(kind, seed): an adapter that Stability's saver wrote."""

    def write(kind, seed):
        author = copy.deepcopy(tiny_model)
        stability.add(author, kind)
        stability.fill(author, seed)
        return stability.save(author, tmp_path / f"{kind}-{seed}.safetensors", kind)

    return write


@pytest.mark.parametrize(
    "given",
    [[("dora-rows", 1.0)], [("lora", 0.5), ("dora-rows", 0.7)], [("bora", 1.0), ("lora-xs", 2.0)]],
)
def test_a_merged_base_gives_the_velocity_of_stability_s_stack(tmp_path, tiny_model, velocity, base, file, given):
    adapters = [(file(kind, index), strength) for index, (kind, strength) in enumerate(given)]
    norms = merge(base, adapters, tmp_path / "merged")
    stacked = copy.deepcopy(tiny_model)
    load_and_apply_loras(stacked, [path for path, _ in adapters], "diffusion_cond_inpaint")
    for part in (stacked.model, stacked.conditioner):
        for index, (_, strength) in enumerate(adapters):
            set_lora_strength(part, strength, lora_index=index)
    merged = small.load(tmp_path / "merged")
    torch.testing.assert_close(velocity(merged), velocity(stacked), rtol=1e-4, atol=2e-5)
    assert not torch.allclose(velocity(merged), velocity(tiny_model), atol=1e-2)
    assert all(norm > 0 for norm in norms.values())


def test_merging_keeps_the_dtype_and_every_other_tensor(tmp_path, tiny_model, base, file):
    small.save(tiny_model, base / "model.safetensors", torch.float16)
    norms = merge(base, [(file("lora", 0), 1.0)], tmp_path / "merged")
    before, after = load_file(base / "model.safetensors"), load_file(tmp_path / "merged" / "model.safetensors")
    assert {tensor.dtype for tensor in after.values()} == {torch.float16}
    assert {name for name in before if not torch.equal(before[name], after[name])} == set(norms)


def test_what_cannot_be_merged_is_refused_and_nothing_is_written(tmp_path, base, file):
    path, merged = file("lora", 0), tmp_path / "merged"
    with pytest.raises(UserError, match="is the base itself"):
        merge(base, [(path, 1.0)], base)
    with pytest.raises(UserError, match=r"model\.safetensors is missing"):
        merge(tmp_path / "nowhere", [(path, 1.0)], merged)
    state = load_file(base / "model.safetensors")
    state.pop("model.model.transformer.project_in.weight")
    save_file(state, base / "model.safetensors")
    with pytest.raises(UserError, match=r"it has no layer 'transformer\.project_in'; take an adapter of this base"):
        merge(base, [(path, 1.0)], merged)
    assert not merged.exists()
