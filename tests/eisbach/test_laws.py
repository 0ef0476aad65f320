"""The laws of the barrier, as properties. A test's name says the law; `outputs` and `masks` are the vocabulary.

Longer than 300 lines: all laws share the strategies at the top.
"""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eisbach.barrier import barrier_factor, barrier_weight, belief_gap, position_energy, weight_of_gap
from eisbach.objective import objective, per_sample_loss
from eisbach.weighting import make

law = settings(deadline=None, max_examples=100)
lams = st.floats(0, 1)
seeds = st.integers(0, 2**32 - 1)
times = st.floats(0, 1, width=32)
few = st.integers(1, 4)
lengths = st.integers(1, 9)
two_or_more = st.integers(2, 9)


@st.composite
def outputs(draw, batch=few, channels=few, positions=lengths, dtype=np.float32):
    """A model output `[B, C, T]`, entries in [-6, 6]: nearly flat, noisy and concentrated samples all occur."""
    shape = (draw(batch), draw(channels), draw(positions))
    values = draw(arrays(dtype, shape, elements=st.floats(-6, 6, width=32)))
    return torch.from_numpy(values)


@st.composite
def masked(draw):
    """An output and a mask with at least two valid positions in each sample."""
    output = draw(outputs(positions=two_or_more))
    valid = [draw(st.sets(st.integers(0, output.shape[2] - 1), min_size=2)) for _ in output]
    return output, torch.tensor([[s in chosen for s in range(output.shape[2])] for chosen in valid])


def from_energies(*energies) -> torch.Tensor:
    """A one-channel float64 output with these energies, `[*batch, T]` -> `[B, 1, T]`."""
    return torch.atleast_2d(torch.as_tensor(*energies, dtype=torch.float64)).sqrt().unsqueeze(1)


def divergence(output: torch.Tensor) -> torch.Tensor:
    return belief_gap(output) * math.log(output.shape[2])


def movable(output: torch.Tensor, eta: float) -> torch.Tensor:
    """How far K can move, `[B]`, when every energy of a float64 output moves by at most `eta` of itself.

    |dK| <= eta sum p |log p + H| e + d^2 (1 + r + 2d) / 2 with d = eta max e and r = max e - min e: the first
    derivative of K is p (log p + H), and along the way the second is at most d^2 (1 + r + 2d).
    """
    energy = position_energy(output)
    belief = energy.softmax(1)
    above = energy - (belief * energy).sum(1, keepdim=True)  # log p + H, without the loss of digits of that sum
    largest = eta * energy.amax(1)
    spread = energy.amax(1) - energy.amin(1)
    slope = (belief * above.abs() * energy).sum(1)
    return eta * slope + largest**2 * (1 + spread + 2 * largest) / 2


ROUNDING = 2e-15  # of an energy in float64, a few channels summed, relative


def attached_gradient(output: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    output = output.clone().requires_grad_()
    barrier_weight(output, mask, detach=False).sum().backward()
    return output.grad


# Bounds


@law
@given(outputs(), lams)
def test_gap_and_weight_lie_in_the_unit_interval_and_the_factor_above_one_minus_lam(output, lam):
    for values, low in ((belief_gap(output), 0), (barrier_weight(output), 0), (barrier_factor(output, lam), 1 - lam)):
        assert values.shape == output.shape[:1]
        assert ((values >= low - 1e-7) & (values <= 1)).all()


@law
@given(st.floats(0, 1), st.floats(0, 1))
def test_the_weight_rises_with_the_gap(first, second):
    low, high = sorted((first, second))
    weights = weight_of_gap(torch.tensor([low, high], dtype=torch.float64))
    assert weights[0] <= weights[1]


# Invariances


@law
@given(outputs(), seeds)
def test_permuting_time_changes_nothing(output, seed):
    order = torch.randperm(output.shape[2], generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(belief_gap(output[:, :, order]), belief_gap(output), rtol=1e-12, atol=1e-28)


@law
@given(outputs(), seeds)
def test_flipping_signs_changes_no_bit(output, seed):
    signs = torch.randint(0, 2, output.shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    assert torch.equal(belief_gap(output * signs), belief_gap(output))


@law
@given(outputs(positions=two_or_more, dtype=np.float64), seeds)
def test_mixing_channels_orthogonally_changes_nothing_beyond_the_rounding_of_energies(output, seed):
    square = torch.randn(2 * output.shape[1:2], generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    rotated = torch.einsum("dc,bct->bdt", torch.linalg.qr(square).Q, output)
    moved = (divergence(rotated) - divergence(output)).abs()
    assert (moved <= 2 * movable(output, 5 * ROUNDING) + 1e-13 * divergence(output)).all()


@law
@given(outputs(positions=two_or_more, dtype=np.float64), st.floats(0, 10))
@example(torch.tensor([[[0.0, 0.0003]]], dtype=torch.float64), 1.0)
@example(torch.tensor([[[1e-9, 0.0]]], dtype=torch.float64), 0.001953125)
def test_adding_a_constant_to_every_energy_changes_nothing_beyond_the_rounding_of_energies(output, amplitude):
    silent = torch.zeros_like(output[:, :1])
    shifted, before = torch.cat([output, silent + amplitude], dim=1), torch.cat([output, silent], dim=1)
    moved = (divergence(shifted) - divergence(before)).abs()
    assert (moved <= 2 * movable(shifted, ROUNDING) + 1e-13 * divergence(before)).all()


@law
@given(outputs(), seeds)
def test_the_shape_of_the_position_axes_does_not_matter(output, seed):
    grid = torch.cat([output, output.flip(2)], dim=2)
    assert torch.equal(belief_gap(grid.unflatten(2, (2, -1))), belief_gap(grid))


@law
@given(outputs(), seeds)
def test_a_sample_alone_equals_the_sample_in_its_batch(output, seed):
    alone = torch.cat([barrier_weight(sample) for sample in output.split(1)])
    assert torch.equal(alone, barrier_weight(output))


# Order


@law
@given(arrays(np.float64, st.integers(2, 8), elements=st.floats(0, 12)), st.data())
def test_moving_belief_from_rich_to_poor_never_widens_the_gap(energy, data):
    """Schur-concavity of the entropy in p; a transfer between two positions generates every majorisation."""
    rich, poor = data.draw(st.permutations(range(len(energy))))[:2]
    share = data.draw(st.floats(0, 1))
    belief = torch.from_numpy(energy).softmax(0)
    levelled = belief.clone()
    levelled[rich] = (1 - share) * belief[rich] + share * belief[poor]
    levelled[poor] = (1 - share) * belief[poor] + share * belief[rich]
    energies = torch.stack([belief, levelled]).log()
    before, after = belief_gap(from_energies(energies - energies.min()))
    assert after <= before + 1e-12


def test_levelling_energies_can_widen_the_gap():
    """(4, 1, 1) is majorised by (4, 2, 0), yet its belief is the more concentrated: no Schur-concavity in e."""
    level, steep = belief_gap(from_energies([[4.0, 1.0, 1.0], [4.0, 2.0, 0.0]]))
    assert level > steep + 0.01


@law
@given(outputs(positions=two_or_more, dtype=np.float64), st.floats(1, 4))
def test_scaling_energies_up_never_narrows_the_gap(output, scale):
    scaled = output * math.sqrt(scale)
    assert (divergence(scaled) >= divergence(output) * (1 - 1e-13) - 2 * movable(scaled, ROUNDING)).all()


@law
@given(arrays(np.float64, st.integers(2, 8), elements=st.floats(-1, 1)), st.integers(7, 20))
def test_near_flatness_the_divergence_is_half_the_variance_plus_a_third_of_the_third_cumulant(shape, exponent):
    small = 2.0**-exponent
    energy = torch.from_numpy(shape) * small
    assume(energy.var(correction=0) > (small / 100) ** 2)
    centred = energy - energy.mean()
    expected = centred.square().mean() / 2 + centred.pow(3).mean() / 3
    (measured,) = divergence(from_energies(energy - energy.min()))
    fourth_order = (2 * small) ** 4
    assert abs(measured - expected) <= fourth_order + 1e-9 * expected


# Masks


@law
@given(masked(), st.sampled_from([math.nan, math.inf, -math.inf, 1e30, 0.0]), st.sampled_from([math.nan, 1e30]))
def test_what_masked_positions_hold_changes_no_bit(pair, one, other):
    output, mask = pair
    expected = belief_gap(output, mask), barrier_weight(output, mask)
    for content in (one, other):
        spoiled = torch.where(mask.unsqueeze(1), output, content)
        assert torch.equal(belief_gap(spoiled, mask), expected[0])
        assert torch.equal(barrier_weight(spoiled, mask), expected[1])


@law
@given(masked(), st.sampled_from([math.nan, math.inf, 1e30]))
def test_masking_equals_slicing_to_the_last_bit_of_the_weight(pair, content):
    output, mask = pair
    spoiled = torch.where(mask.unsqueeze(1), output, content)
    for sample, valid, weight in zip(output, mask, barrier_weight(spoiled, mask), strict=True):
        assert weight == barrier_weight(sample[None, :, valid])


@law
@given(outputs())
def test_a_mask_of_ones_changes_no_bit(output):
    assert torch.equal(belief_gap(output, torch.ones_like(output[:, 0], dtype=torch.bool)), belief_gap(output))


@law
@given(outputs(), st.integers(0, 8), st.sampled_from([math.nan, math.inf, 1e30]))
def test_with_one_valid_position_or_none_the_weight_is_one_and_the_gradient_zero(output, kept, content):
    mask = torch.zeros_like(output[:, 0], dtype=torch.bool)
    mask[0, kept % output.shape[2]] = True
    spoiled = torch.where(mask.unsqueeze(1), output, content).requires_grad_()
    weight = barrier_weight(spoiled, mask, detach=False)
    weight.sum().backward()
    assert torch.equal(weight, torch.ones_like(weight))
    assert torch.equal(spoiled.grad, torch.zeros_like(output))


@law
@given(masked(), st.sampled_from([math.nan, math.inf, -math.inf]), st.data())
def test_a_fault_in_a_valid_position_makes_that_sample_nan_and_no_other(pair, fault, data):
    output, mask = pair
    sample = data.draw(st.integers(0, len(output) - 1))
    position = data.draw(st.sampled_from(mask[sample].nonzero().flatten().tolist()))
    expected = barrier_weight(output, mask)
    expected[sample] = math.nan
    spoiled = output.clone()
    spoiled[sample, -1, position] = fault
    torch.testing.assert_close(barrier_weight(spoiled, mask), expected, rtol=0, atol=0, equal_nan=True)


def test_a_single_valid_position_does_not_hide_its_nan():
    assert barrier_weight(torch.full((1, 2, 1), math.nan)).isnan().all()


# Dtypes


@law
@given(outputs(), st.sampled_from([torch.float16, torch.bfloat16]))
def test_half_precision_gives_the_float32_result_of_the_same_numbers(output, dtype):
    half = output.to(dtype)
    weight = barrier_weight(half)
    assert weight.dtype == torch.float32
    assert torch.equal(weight, barrier_weight(half.float()))


@law
@given(outputs())
def test_float64_gives_float64(output):
    weight = barrier_weight(output.double())
    assert weight.dtype == torch.float64
    torch.testing.assert_close(weight.float(), barrier_weight(output), rtol=0, atol=0)


@law
@given(outputs(), lams)
def test_autocast_changes_no_bit(output, lam):
    expected = barrier_factor(output, lam)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        factor = barrier_factor(output, lam)
    assert factor.dtype == torch.float32
    assert torch.equal(factor, expected)


@law
@given(outputs(positions=two_or_more))
def test_rounding_the_output_to_bfloat16_moves_the_divergence_within_its_bound(output):
    """bfloat16 has 8 bits and moves each y by at most u = 2^-8 of itself, so each e by 2u + u^2."""
    exact, rounded = output.double(), output.bfloat16().double()
    unit = 2.0**-8
    moved = (divergence(rounded) - divergence(exact)).abs()
    assert (moved <= movable(exact, 2 * unit + unit**2) + 1e-12).all()


@law
@given(outputs(positions=two_or_more))
def test_rounding_the_output_to_bfloat16_moves_the_weight_by_less_than_its_gap(output):
    """d log w / d log D = w, which is at most 1: between D and D' the logarithm of w moves less than that of D."""
    exact, rounded = output.double(), output.bfloat16().double()
    gaps = torch.stack([belief_gap(exact), belief_gap(rounded)])
    weights = torch.stack([barrier_weight(exact), barrier_weight(rounded)])
    assume((gaps > 1e-300).all())
    assert (weights.log().diff(dim=0).abs() <= weights.amax(0) * gaps.log().diff(dim=0).abs() + 1e-12).all()


# Gradients


@law
@given(outputs(positions=two_or_more, dtype=np.float64), seeds, lams)
def test_detached_the_gradient_of_each_sample_is_the_plain_one_times_its_factor(output, seed, lam):
    target = torch.randn(output.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    t = torch.zeros(len(output), dtype=torch.float64)
    plain, weighted = (
        torch.func.grad(lambda y, arm=arm: objective(y, target, t, None, arm)[0])(output)
        for arm in (make("baseline"), make("barrier", lam=lam))
    )
    torch.testing.assert_close(weighted, plain * barrier_factor(output, lam)[:, None, None], rtol=1e-12, atol=1e-15)
    cosine = torch.nn.functional.cosine_similarity(weighted.flatten(1), plain.flatten(1), eps=1e-300)
    assert ((cosine - 1).abs() < 1e-9)[barrier_factor(output, lam) > 1e-6].all()


@law
@given(outputs(positions=two_or_more, dtype=np.float64), seeds)
@example(torch.tensor([[[1.0, 2.0, 0.5]], [[0.1, 3.0, 1.0]]], dtype=torch.float64), 0)
def test_attached_the_gradient_gains_the_explicit_term(output, seed):
    """L (w^2 / K) sum_s p_s (log p_s + H) (2 / C) y_cs, Eq. 4 and 5 at lam 1; near a flat output K is too small."""
    assume((belief_gap(output) > 1e-6).all())
    target = torch.randn(output.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    def gradient(detach):
        return torch.func.grad(lambda y: (per_sample_loss(y, target) * barrier_weight(y, detach=detach)).sum())(output)

    belief = position_energy(output).softmax(1)
    log_belief = position_energy(output).log_softmax(1)
    entropy = -(belief * log_belief).sum(1, keepdim=True)
    scale = per_sample_loss(output, target) * barrier_weight(output) ** 2 / divergence(output)
    term = scale[:, None, None] * (belief * (log_belief + entropy))[:, None] * 2 / output.shape[1] * output
    torch.testing.assert_close(gradient(False) - gradient(True), term, rtol=1e-6, atol=1e-8)


FAINT = torch.tensor([[[1.4e-45, 0.0, 0.0]]]), torch.tensor([[True, True, False]])  # dw/dy = 1e40: inf in float32


@law
@given(masked(), st.sampled_from([math.nan, math.inf, 1e30]))
@example(FAINT, math.nan)
def test_attached_masked_positions_get_gradient_zero_and_change_no_bit_of_the_others(pair, content):
    """Equality also says that nothing is NaN."""
    output, mask = pair
    gradient = attached_gradient(torch.where(mask.unsqueeze(1), output, content), mask)
    assert torch.equal(gradient, attached_gradient(output, mask))
    assert not gradient.mT[~mask].any()


@law
@given(masked(), st.sampled_from([math.nan, math.inf, 1e30]))
def test_attached_the_gradient_under_a_mask_is_that_of_the_slice(pair, content):
    """To rounding, which near a flat output is large: the cusp multiplies the error of a centred energy by w^2 / K."""
    output, mask = pair
    assume((belief_gap(output, mask) > 1e-6).all())
    gradients = attached_gradient(torch.where(mask.unsqueeze(1), output, content), mask)
    for sample, valid, gradient in zip(output, mask, gradients, strict=True):
        sliced = attached_gradient(sample[None, :, valid])[0]
        torch.testing.assert_close(gradient[:, valid], sliced, rtol=1e-6, atol=1e-8)


@law
@given(arrays(np.float32, few, elements=st.floats(-6, 6, width=32)), lengths.filter(lambda length: length > 1))
def test_an_exactly_flat_sample_has_weight_zero_and_attached_gradient_zero(channels, positions):
    output = torch.from_numpy(channels)[None, :, None].repeat(2, 1, positions)
    assert torch.equal(barrier_weight(output), torch.zeros(2))
    assert torch.equal(attached_gradient(output), torch.zeros_like(output))


# Factors and arms


@law
@given(outputs(), seeds)
def test_lam_zero_leaves_the_loss_bit_identical(output, seed):
    target = torch.randn(output.shape, generator=torch.Generator().manual_seed(seed))
    t = torch.zeros(len(output))
    plain, _ = objective(output, target, t, None, make("baseline"))
    barred, _ = objective(output, target, t, None, make("barrier", lam=0.0))
    assert torch.equal(plain, barred)


@law
@given(outputs(), lams)
def test_the_factor_is_one_minus_lam_plus_lam_times_the_weight(output, lam):
    assert torch.equal(barrier_factor(output, lam), (1 - lam) + lam * barrier_weight(output))


@law
@given(outputs(), lams)
def test_reduced_over_the_batch_every_sample_has_the_mean_weight(output, lam):
    factor = barrier_factor(output, lam, reduction="batch")
    assert factor.shape == output.shape[:1]
    torch.testing.assert_close(factor, ((1 - lam) + lam * barrier_weight(output).mean()).expand_as(factor))


@law
@given(outputs(batch=st.just(1)), lams)
def test_in_a_batch_of_one_both_reductions_agree(output, lam):
    assert torch.equal(barrier_factor(output, lam, reduction="batch"), barrier_factor(output, lam))


@law
@given(outputs(), lams, seeds, st.integers(0, 1000))
@pytest.mark.parametrize("name", ["shuffled", "inverse"])
def test_rearranging_arms_keep_the_marginal(name, output, lam, seed, step):
    t = torch.zeros(len(output))
    settings = {"seed": seed} if name == "shuffled" else {}
    factor = make(name, lam=lam, **settings)(output, output, t, None, step=step)
    assert torch.equal(factor.sort().values, barrier_factor(output, lam).sort().values)


@law
@given(outputs(), lams)
def test_the_inverse_arm_orders_samples_the_other_way(output, lam):
    factor, original = make("inverse", lam=lam)(output, output, torch.zeros(len(output))), barrier_factor(output, lam)
    higher = original[:, None] > original[None]
    assert (factor[:, None] <= factor[None])[higher].all()


@law
@given(arrays(np.float32, st.integers(1, 6), elements=times))
def test_factors_that_look_at_t_alone_are_finite_and_not_negative(t):
    t = torch.from_numpy(t)
    output = torch.zeros(len(t), 1, 2)
    for name in ("min_snr", "logit_normal", "edm2"):
        factor = make(name)(output, output, t)
        assert factor.shape == t.shape
        assert (factor.isfinite() & (factor >= 0)).all()
