"""The closed forms against the barrier itself, over the map, each within the range and error that it states."""

import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eisbach.barrier import barrier_factor, barrier_weight, belief, belief_gap
from eisbach.seeds import numpy_generator, torch_generator
from predictions.weight_map import closed_forms, limits, sampling
from predictions.weight_map.place import Place

ENERGIES = st.lists(st.floats(0, 50), min_size=2, max_size=40)
LAMS, WEIGHTS = st.floats(0, 1), st.floats(0, 1)


@given(ENERGIES)
def test_the_divergence_lies_within_its_bounds_for_all_energies(energies):
    energy = np.array(energies)
    half = energy.var() / 2
    low, high = closed_forms.second_order_error(float(np.ptp(energy)))
    divergence = float(belief(torch.tensor(energy).sqrt()[None, None]).divergence)
    slack = 1e-12 * (1 + energy.max() ** 2)  # rounding of the energies
    assert low * half - slack <= divergence <= high * half + slack


@given(st.floats(1e-9, 600))
def test_the_bounds_agree_with_fifty_digits(r):
    with mpmath.workdps(50):
        x = mpmath.mpf(r)
        exact = [2 * (1 - mpmath.exp(-x) * (1 + x)) / x**2, 2 * (1 + mpmath.exp(x) * (x - 1)) / x**2]
    for ours, digits in zip(closed_forms.second_order_error(r), exact, strict=True):
        assert ours == pytest.approx(float(digits), rel=1e-9)


def test_the_bounds_of_a_huge_range_are_finite_below_and_infinite_above():
    low, high = closed_forms.second_order_error(1e4)
    assert 0 < low < 1e-6
    assert high == math.inf


@given(st.floats(0, 1))
def test_the_weight_of_a_gap_is_the_barriers(gap):
    from eisbach.barrier import weight_of_gap

    expected = float(weight_of_gap(torch.tensor(gap, dtype=torch.float64)))
    assert closed_forms.weight_of_gap(gap) == pytest.approx(expected, abs=2e-3 if gap < 1e-300 else 1e-12)


# Inside the ranges that docs/weight_map.md states, found by `limits.table` with other draws.
INSIDE = {(64, 108): 0.45, (256, 108): 0.45, (256, 1292): 0.35}


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(sorted(INSIDE)), st.floats(0, 1), st.floats(0.5, 1), st.integers(0, 9))
def test_second_order_gives_the_simulated_weight_inside_its_range(shape, share, scale, seed):
    place = Place(*shape, scale=scale, deviation=share * INSIDE[shape])
    simulated = sampling.spread(sampling.draw(place, 0.0, 256, numpy_generator(seed, "inside")).weight, 0.5)
    assert abs(limits.second_order(place) - simulated["w"]) <= limits.TOLERANCE + 3 * simulated["w_se"]


def test_second_order_fails_beyond_its_range():
    """The counterexample of the tables: at C 256, T 1292 and a deviation of .8 it says .27, simulation .57."""
    place = Place(256, 1292, deviation=0.8)
    simulated = sampling.spread(sampling.draw(place, 0.0, 256, numpy_generator(0, "beyond")).weight, 0.5)
    assert limits.second_order(place) < 0.3 < 0.5 < simulated["w"]


def test_the_gap_has_its_floor_without_variation():
    assert closed_forms.second_order_gap(1, 0, 64, 108) == pytest.approx(1 / (64 * math.log(108)))


@pytest.mark.parametrize("arguments", [(-1, 0, 64, 108), (1, -0.1, 64, 108), (1, 0, 0, 108), (1, 0, 64, 1)])
def test_a_gap_outside_its_domain_is_an_error(arguments):
    with pytest.raises(ValueError, match="second_order_gap needs"):
        closed_forms.second_order_gap(*arguments)


def test_the_weight_of_a_gap_outside_zero_to_one_is_an_error():
    with pytest.raises(ValueError, match="lie in"):
        closed_forms.weight_of_gap(1.1)


@settings(max_examples=20, deadline=None)
@given(st.integers(16, 512), st.integers(27, 600), st.integers(0, 9))
def test_the_weight_of_pure_noise_is_within_its_error(channels, length, seed):
    noise = torch.randn(32, channels, length, dtype=torch.float64, generator=torch_generator(seed, "noise"))
    assert closed_forms.noise_weight(channels, length) == pytest.approx(barrier_weight(noise).mean().item(), abs=0.01)


@pytest.mark.parametrize("channels", [2, 4])
def test_the_weight_of_pure_noise_is_too_small_for_few_channels(channels):
    assert limits.noise_error(channels, 108, 0, 256) < -0.03


@pytest.mark.parametrize(("channels", "variance"), [(16, 0.5), (64, 1.0), (64, 2.0), (256, 1.5)])
def test_the_formula_for_white_noise_agrees_with_the_barrier_on_drawn_noise(channels, variance):
    noise = torch.randn(8, channels, 4000, generator=torch_generator(0, "white noise"), dtype=torch.float64)
    gap = closed_forms.white_noise_gap(channels, 4000, variance)
    assert belief_gap(noise * math.sqrt(variance)).mean().item() == pytest.approx(gap, rel=0.03)


def test_noise_whose_exponential_has_no_mean_concentrates_on_one_position():
    assert closed_forms.white_noise_gap(2, 100) == 1


@given(st.integers(64, 4096), st.integers(8, 4096), st.floats(0.01, 0.2))
def test_for_many_channels_the_gap_of_white_noise_is_variance_squared_over_c_log_t(channels, length, variance):
    gap = closed_forms.white_noise_gap(channels, length, variance)
    assert gap == pytest.approx(variance**2 / channels / math.log(length), rel=0.01)


@given(st.floats(1e-6, 0.99), LAMS)
def test_the_elasticity_is_the_numerical_derivative(gap, lam):
    def log_factor(x: float) -> float:
        return math.log(closed_forms.factor(closed_forms.weight_of_gap(math.exp(x)), lam))

    at, step = math.log(gap), 1e-5
    slope = (log_factor(at + step / 2) - log_factor(at - step / 2)) / step if at + step < 0 else None
    if slope is not None:
        assert closed_forms.elasticity(closed_forms.weight_of_gap(gap), lam) == pytest.approx(slope, abs=1e-6)


@given(st.lists(st.floats(0.001, 30), min_size=4, max_size=12), st.floats(0, 0.999))
def test_no_ratio_of_two_factors_exceeds_the_bound(scales, lam):
    output = torch.randn(len(scales), 4, 16, dtype=torch.float64, generator=torch_generator(0, "ratio"))
    factors = barrier_factor(output * torch.tensor(scales, dtype=torch.float64)[:, None, None], lam)
    assert float(factors.max() / factors.min()) <= closed_forms.largest_ratio(lam) * (1 + 1e-12)


def test_the_bound_is_infinite_at_lambda_one():
    assert closed_forms.largest_ratio(1) == math.inf


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=50))
def test_the_effective_share_is_kishs(weights):
    factors = np.array(weights)
    kish = factors.sum() ** 2 / (len(factors) * np.square(factors).sum())
    assert closed_forms.effective_share(factors.std() / factors.mean()) == pytest.approx(kish)


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(sorted(INSIDE)), st.floats(0.1, 0.35), st.integers(0, 9))
def test_the_spread_by_the_elasticity_is_within_a_quarter(shape, deviation, seed):
    """Up to a deviation of .35, where the formula holds; only its linear step is tested, the rest is simulated."""
    found = sampling.statistics(
        sampling.draw(Place(*shape, deviation=deviation), 0.0, 512, numpy_generator(seed, "spread")), 0.5
    )
    predicted = closed_forms.factor_spread(found["w"], 0.5, found["gap_deviation"])
    assert predicted == pytest.approx(found["factor_cv"], rel=0.25, abs=3 * found["factor_cv_se"])


def test_a_curriculum_does_the_whole_of_itself_and_needs_a_spread():
    assert closed_forms.curriculum_share(0.6, 1.0, 0.6) == 1
    with pytest.raises(ValueError, match="must be positive"):
        closed_forms.curriculum_share(0.1, 1.0, 0.0)


def test_adamw_responds_linearly_to_near_constant_factors():
    """torch's AdamW on a quadratic of eight samples: its displacement is linear in the factors' deviation, within 15 %
    for spreads of up to .1, and ignores their mean up to eps.
    """
    generator = torch_generator(0, "linear response")
    targets = torch.randn(8, 3, dtype=torch.float64, generator=generator)
    deltas = torch.randn(8, dtype=torch.float64, generator=generator)
    deltas -= deltas.mean()

    def trained(factors: torch.Tensor) -> torch.Tensor:
        parameters = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.AdamW([parameters], lr=1e-3, eps=1e-14)
        for _ in range(20):
            optimiser.zero_grad()
            (factors * (parameters - targets).square().sum(1)).mean().backward()
            optimiser.step()
        return parameters.detach()

    plain = trained(torch.ones(8, dtype=torch.float64))
    assert torch.allclose(trained(torch.full((8,), 0.6, dtype=torch.float64)), plain, rtol=1e-6)
    effects = {size: trained(1 + size * deltas) - plain for size in (0.001, 0.01, 0.1)}
    unit = effects[0.001] / 0.001
    assert unit.norm() > 1e-4
    assert (effects[0.01] / 0.01 - unit).norm() < 0.02 * unit.norm()
    assert (effects[0.1] / 0.1 - unit).norm() < 0.15 * unit.norm()
