import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from eisbach.errors import UserError
from eisbach.models import small
from eisbach.models.conditioning import dit_inputs
from eisbach.models.velocity import guided, predict, unconditional


def shipped_layout(folder, model, config):
    (folder / "model_config.json").write_text(json.dumps(config))
    small.save(model, folder / "model.safetensors", torch.float32)


@pytest.fixture
def config(tiny_model):
    from tests.conftest import tiny_config

    return tiny_config(small)


def test_the_shipped_base_is_small_enough_and_loads():
    assert (small.BASE / "model.safetensors").stat().st_size <= 16e6
    model = small.load()
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert model.pretransform.downsampling_ratio == 4096


def test_saving_and_loading_changes_no_bit(tmp_path, tiny_model, config):
    shipped_layout(tmp_path, tiny_model, config)
    loaded = small.load(tmp_path).state_dict()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in tiny_model.state_dict().items())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"model_config\.json is missing"):
        small.load(tmp_path)


def test_tensors_that_do_not_fit_are_named(tmp_path, tiny_model, config):
    shipped_layout(tmp_path, tiny_model, config)
    path = tmp_path / "model.safetensors"
    state = load_file(path)
    name = next(name for name in state if name.endswith("project_in.weight"))
    save_file({**state, name: state[name][:2]}, path)
    with pytest.raises(UserError, match=r"project_in\.weight"):
        small.load(tmp_path)
    del state[name]
    save_file(state, path)
    with pytest.raises(UserError, match=r"project_in\.weight"):
        small.load(tmp_path)


def test_the_starting_point_is_minus_the_input(tiny_archive, config):
    torch.manual_seed(0)
    model = small.build(config)
    small.start_at_identity(model)
    x = torch.randn(3, *tiny_archive.latents.shape[1:])
    output = predict(model, x, torch.rand(3), tiny_archive.rows(torch.arange(3)))
    torch.testing.assert_close(output, -x)


def test_a_dropped_condition_is_guidance_s_null(tiny_model, tiny_archive):
    """Our null equals the DiT's own, whose plain (not projected) guidance is v_u + s (v_c - v_u)."""
    clips = tiny_archive.rows(torch.arange(4))
    x, t = torch.randn(4, *clips.latents.shape[1:]), torch.full((4,), 0.6)
    inputs = dit_inputs(tiny_model, clips.states.float(), clips.token_mask, clips.seconds, x.shape[-1])
    theirs = tiny_model.model(x, t, **inputs, cfg_scale=3.0, apg_scale=0.0, use_checkpointing=False)
    with_prompt, without = predict(tiny_model, x, t, clips), unconditional(tiny_model, x, t, clips)
    torch.testing.assert_close(without + 3 * (with_prompt - without), theirs, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(guided(tiny_model, clips, 3.0)(x, t), theirs, atol=1e-4, rtol=1e-4)


def test_guidance_of_one_is_the_conditional_model_alone(tiny_model, tiny_archive):
    clips = tiny_archive.rows(torch.arange(4))
    x, t = torch.randn(4, *clips.latents.shape[1:]), torch.full((4,), 0.6)
    assert torch.equal(guided(tiny_model, clips, 1.0)(x, t), predict(tiny_model, x, t, clips))


def test_only_the_dropped_samples_change(tiny_model, tiny_archive):
    clips = tiny_archive.rows(torch.arange(4))
    x, t = torch.randn(4, *clips.latents.shape[1:]), torch.rand(4)
    dropped = torch.tensor([True, False, True, False])
    some, none = predict(tiny_model, x, t, clips, dropped=dropped), predict(tiny_model, x, t, clips)
    changed = (some != none).flatten(1).any(1)
    assert torch.equal(changed, dropped)


def test_inpainting_context_reaches_the_model(tiny_model, tiny_archive):
    clips = tiny_archive.rows(torch.arange(2))
    kept = torch.zeros(2, clips.latents.shape[-1], dtype=torch.bool)
    kept[0, :4] = True
    inputs = dit_inputs(
        tiny_model, clips.states.float(), clips.token_mask, clips.seconds, kept.shape[1], kept=kept, data=clips.latents
    )
    context = inputs["local_add_cond"]
    assert torch.equal(context[:, 0].bool(), kept)
    assert torch.equal(context[0, 1:, :4], clips.latents[0, :, :4])
    assert not context[0, 1:, 4:].any()
    assert not context[1].any()
