"""The draws of a step, and the whole step against a reimplementation of the released one."""

import copy
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp
from stable_audio_tools.inference.sampling import DistributionShift, truncated_logistic_normal_rescaled
from stable_audio_tools.models.inpainting import random_inpaint_mask
from stable_audio_tools.models.lora import get_lora_layers, load_and_apply_loras

from eisbach import flow
from eisbach.adapters.paired import PairedAdapters
from eisbach.adapters.sa3_format import export_adapter
from eisbach.models.conditioning import dit_inputs
from eisbach.seeds import derive, torch_generator
from eisbach.training.draws import draw, extended, inpainting
from eisbach.training.loop import finetune
from eisbach.weighting import make
from tests.settings import PARAMS

RELEASED = replace(
    PARAMS.finetune,
    rank=4,
    alpha=4.0,
    batch=4,
    steps=1,
    ot_coupling=True,
    silence_extension=0.3,
    inpainting=(0.4, 0.3, 0.3),
    context_loss=1.0,
)


@pytest.fixture
def archive(tiny_archive):
    """Clips of three lengths in one bucket."""
    lengths = torch.tensor([6, 9, 11]).repeat(8)
    return replace(tiny_archive, mask=torch.arange(tiny_archive.mask.shape[1]) < lengths[:, None])


def test_draws_do_not_depend_on_the_global_generators(archive):
    with torch.random.fork_rng():
        found = []
        for state in (0, 1):
            torch.manual_seed(state)
            random.seed(state)
            found.append(draw(archive, RELEASED, 3, 2))
    for name in ("noise", "t", "dropped", "valid", "kept"):
        assert torch.equal(getattr(found[0], name), getattr(found[1], name))


@pytest.mark.parametrize(("seed", "step"), [(3, 3), (4, 2)])
def test_another_step_or_seed_has_other_draws(archive, seed, step):
    first, other = draw(archive, RELEASED, 3, 2), draw(archive, RELEASED, seed, step)
    for name in ("noise", "t", "kept"):
        assert not torch.equal(getattr(first, name), getattr(other, name))


def test_a_setting_that_is_off_changes_no_other_draw(archive):
    plain = draw(archive, replace(PARAMS.finetune, batch=4), 3, 2)
    released = draw(archive, replace(RELEASED, ot_coupling=False), 3, 2)
    for name in ("noise", "t", "dropped"):
        assert torch.equal(getattr(plain, name), getattr(released, name))


def test_the_default_generates_the_whole_clip_without_silence(archive):
    plain = draw(archive, replace(PARAMS.finetune, batch=4), 3, 2)
    assert torch.equal(plain.valid, plain.clips.mask)
    assert torch.equal(plain.mask, plain.clips.mask)


def coupled_by_hand(data, noise):
    """Sinkhorn in float64 numpy, then the greedy assignment."""
    cost = ((data[:, None] - noise[None]) ** 2).sum(-1)
    plan = -cost / cost.mean()
    for _ in range(20):
        plan = plan - logsumexp(plan, axis=1, keepdims=True)
        plan = plan - logsumexp(plan, axis=0, keepdims=True)
    free = list(range(len(noise)))
    chosen = []
    for row in plan:
        chosen.append(max(free, key=lambda column: row[column]))
        free.remove(chosen[-1])
    return chosen


@given(st.integers(2, 8), st.integers(0, 10**6))
def test_coupling_is_the_released_permutation(count, seed):
    generator = torch.Generator().manual_seed(seed)
    data, noise = torch.randn(2, count, 3, 5, generator=generator, dtype=torch.float64)
    coupled = flow.couple(data, noise)
    chosen = coupled_by_hand(data.flatten(1).numpy(), noise.flatten(1).numpy())
    assert sorted(chosen) == list(range(count))
    assert torch.equal(coupled, noise[chosen])


def test_coupling_reduces_the_distance_of_data_and_noise():
    generator = torch.Generator().manual_seed(0)
    data, noise = torch.randn(2, 64, 2, 3, generator=generator)
    assert (data - flow.couple(data, noise)).square().mean() < 0.7 * (data - noise).square().mean()


@given(st.lists(st.integers(0, 30), min_size=1, max_size=5), st.integers(0, 10**6))
def test_inpainting_masks_are_the_released_ones(lengths, seed):
    valid = torch.arange(30) < torch.tensor(lengths)[:, None]
    ours = inpainting(valid, (0.4, 0.3, 0.3), random.Random(seed))
    random.seed(seed)
    _, theirs = random_inpaint_mask(
        torch.ones(len(lengths), 1, 30), valid, mask_type_probabilities=[0.4, 0.3, 0.3], mask_padding=True
    )
    assert torch.equal(ours, theirs.squeeze(1).bool() & valid)


def test_the_mean_extension_is_the_setting():
    mask = torch.arange(20000) < 100
    longer = extended(mask.expand(4000, -1), 4.0, torch.Generator().manual_seed(0)).sum(1) - 100.0
    assert longer.min() >= 0
    assert longer.mean() == pytest.approx(4.0 * 44100 / 4096 - 0.5, rel=0.05)  # whole latents, rounded down


def test_zero_seconds_of_silence_extend_nothing():
    mask = torch.arange(20) < torch.tensor([[3], [20]])
    assert torch.equal(extended(mask, 0.0, torch.Generator()), mask)


def released_step(model, data, seed):
    """Steps 3 to 12 with Stability's own parts where they import, in their order, from the same generators."""
    clips = data.batch(RELEASED.batch, seed, 0)
    clean, padding = clips.latents, clips.mask
    with torch.random.fork_rng():
        torch.set_rng_state(torch_generator(seed, "finetune", 0).get_state())
        t = 1 - truncated_logistic_normal_rescaled((len(clean),))
        t = DistributionShift().shift(t, padding.sum(1))
        noise = torch.randn_like(clean)
        dropped = torch.rand(len(clean)) < RELEASED.cfg_dropout
        scale = RELEASED.silence_extension * 44100 / 4096
        silence = torch.empty(len(clean)).exponential_(lambd=1 / scale).long()
    order = coupled_by_hand(clean.flatten(1).double().numpy(), noise.flatten(1).double().numpy())
    noise = noise[np.array(order)]
    noised = clean * (1 - t)[:, None, None] + noise * t[:, None, None]
    targets = noise - clean
    positions = torch.arange(clean.shape[2])[None]
    padding = positions < (padding.sum(1) + silence).clamp(max=clean.shape[2])[:, None]
    random.seed(derive(seed, "inpainting", 0))
    context, inpaint = random_inpaint_mask(
        clean, padding, mask_type_probabilities=list(RELEASED.inpainting), mask_padding=True
    )
    generated = padding & ~inpaint.squeeze(1).bool()
    inputs = dit_inputs(model, clips.states.float(), clips.token_mask, clips.seconds, clean.shape[2], dropped=dropped)
    inputs["local_add_cond"] = torch.cat([inpaint, context], dim=1)
    output = model.model(noised, t, **inputs, padding_mask=padding, use_checkpointing=False)
    square = (output - targets) ** 2

    def mean_over(mask):
        held = torch.where(mask[:, None], square, 0.0).sum((1, 2))
        return (held / (mask.sum(1) * square.shape[1]).clamp(min=1)).mean()

    return mean_over(generated) + RELEASED.context_loss * mean_over(padding & inpaint.squeeze(1).bool())


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("kind", "conditioner"), [("lora", False), ("dora", False), ("lora", True), ("dora", True)])
def test_a_step_with_factor_one_is_the_released_step(tmp_path, tiny_model, archive, kind, conditioner, seed):
    """Loss, and the gradient of every adapter tensor, under Stability's own LoRA layers."""
    theirs = copy.deepcopy(tiny_model)
    own = {"conditioner": tiny_model.conditioner, "train_conditioner": conditioner}
    adapters = PairedAdapters(tiny_model.model.model, ["baseline"], kind, 4, 4.0, **own)
    seen = {}
    for name, parameter in adapters.parameters("baseline").items():
        with torch.no_grad():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(7)))
        parameter.register_hook(lambda grad, name=name: seen.update({name: grad.clone()}))
    adapters.save("baseline", tmp_path / "adapter")
    export_adapter(tmp_path / "adapter", tmp_path / "adapter.safetensors")
    load_and_apply_loras(theirs, [tmp_path / "adapter.safetensors"], "diffusion_cond_inpaint")
    layers = get_lora_layers(theirs.model) + get_lora_layers(theirs.conditioner)
    assert len(layers) == len(adapters.layers)
    loss = released_step(theirs, archive, seed)
    loss.backward()
    (record,) = finetune(tiny_model, adapters, {"baseline": make("baseline")}, archive, RELEASED, seed)
    assert record["objective"] == pytest.approx(loss.item(), rel=1e-5)
    pairs = {"lora_A": "lora_A.weight", "lora_B": "lora_B.weight", "magnitude": "lora_magnitude_vector"}
    for name, layer in layers:
        for their_name, our_name in pairs.items():
            if hasattr(layer, their_name):
                ours = seen[f"{name.removeprefix('model.')}.{our_name}"]
                torch.testing.assert_close(ours, getattr(layer, their_name).grad, rtol=1e-3, atol=1e-5)
