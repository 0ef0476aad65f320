import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from eisbach.errors import UserError
from eisbach.models import small
from eisbach.models.conditioning import dit_inputs
from eisbach.models.velocity import guided, predict, unconditional


def write_model(folder, model, config):
    """Write `folder` in the layout of the shipped base, in fp32."""
    (folder / "model_config.json").write_text(json.dumps(config))
    small.save(model, folder / "model.safetensors", torch.float32)


@pytest.fixture
def config():
    """The configuration of `tiny_model`."""
    from tests.conftest import tiny_config

    return tiny_config(small)


def test_the_shipped_weights_are_at_most_16_mb():
    assert (small.BASE / "model.safetensors").stat().st_size <= 16e6


def test_the_shipped_base_loads_frozen():
    model = small.load()
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert model.pretransform.downsampling_ratio == 4096


def _double(value):
    return value.double() if torch.is_tensor(value) and value.is_floating_point() else value


@pytest.mark.reference
def test_the_shipped_base_computes_in_float32_what_it_computes_in_float64():
    model, generator = small.load(), torch.Generator().manual_seed(0)
    x, states = torch.randn(2, 64, 32, generator=generator), torch.randn(2, 5, 384, generator=generator)
    inputs = dit_inputs(model, states, torch.ones(2, 5, dtype=torch.bool), torch.tensor([10.0, 10.0]), 32)
    t = torch.tensor([0.1, 0.8])
    measured = model.model(x, t, **inputs, use_checkpointing=False)
    wide = {name: _double(value) for name, value in inputs.items()}
    exact = model.double().model(x.double(), t.double(), **wide, use_checkpointing=False)
    assert (measured - exact).abs().max() < 1e-4 * exact.std()


def test_saving_and_loading_changes_no_bit(tmp_path, tiny_model, config):
    write_model(tmp_path, tiny_model, config)
    loaded = small.load(tmp_path).state_dict()
    assert loaded.keys() == tiny_model.state_dict().keys()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in tiny_model.state_dict().items())


@pytest.mark.parametrize("file", ["model_config.json", "model.safetensors"])
def test_a_missing_file_is_named(tmp_path, tiny_model, config, file):
    write_model(tmp_path, tiny_model, config)
    (tmp_path / file).unlink()
    with pytest.raises(UserError, match=f"{file} is missing"):
        small.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda state, name: {**state, name: state[name][:2]},
            r"project_in\.weight' is \(2, 6\), not \(64, 6\) \(1 tens",
        ),
        (lambda state, name: {key: state[key] for key in state if key != name}, r"project_in\.weight' is missing"),
        (lambda state, name: {**state, "odd": torch.ones(1)}, "'odd' belongs to no part of the model"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(tmp_path, tiny_model, config, change, said):
    write_model(tmp_path, tiny_model, config)
    path = tmp_path / "model.safetensors"
    state = load_file(path)
    name = next(name for name in state if name.endswith("project_in.weight"))
    save_file(change(state, name), path)
    with pytest.raises(UserError, match=said):
        small.load(tmp_path)


@pytest.mark.parametrize(("kind", "is_small"), [("mel_patch", True), ("autoencoder", False), (None, False)])
def test_a_small_configuration_is_known_by_its_codec(config, kind, is_small):
    assert small.is_small_config(config)
    config["model"]["pretransform"] = {"type": kind} if kind else {}
    assert small.is_small_config(config) == is_small


def test_the_untrained_output_is_minus_the_input(tiny_archive, config):
    torch.manual_seed(0)
    model = small.build(config)
    small.init_output_to_minus_input(model)
    x = torch.randn(3, *tiny_archive.latents.shape[1:])
    output = predict(model, x, torch.rand(3), tiny_archive.rows(torch.arange(3)))
    torch.testing.assert_close(output, -x)


def test_guidance_equals_the_dit_s_own(tiny_model, tiny_archive):
    """With our null condition; the DiT's plain (not projected) guidance is v_u + s (v_c - v_u)."""
    clips = tiny_archive.rows(torch.arange(4))
    x, t = torch.randn(4, *clips.latents.shape[1:]), torch.full((4,), 0.6)
    inputs = dit_inputs(tiny_model, clips.states.float(), clips.token_mask, clips.seconds, x.shape[-1])
    theirs = tiny_model.model(x, t, **inputs, cfg_scale=3.0, apg_scale=0.0, use_checkpointing=False)
    with_prompt, without = predict(tiny_model, x, t, clips), unconditional(tiny_model, x, t, clips)
    torch.testing.assert_close(without + 3 * (with_prompt - without), theirs, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(guided(tiny_model, clips, 3.0)(x, t), theirs, atol=1e-4, rtol=1e-4)


def test_guidance_at_scale_1_is_the_conditional_velocity(tiny_model, tiny_archive):
    clips = tiny_archive.rows(torch.arange(4))
    x, t = torch.randn(4, *clips.latents.shape[1:]), torch.full((4,), 0.6)
    conditional = predict(tiny_model, x, t, clips)
    assert torch.equal(guided(tiny_model, clips, 1.0)(x, t), conditional)
    assert not torch.allclose(conditional, unconditional(tiny_model, x, t, clips), atol=1e-3)


def test_dropping_prompts_changes_only_the_dropped_samples(tiny_model, tiny_archive):
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
