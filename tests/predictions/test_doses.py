"""Doses: lines through exact answers, intervals that cover, and shares that invert."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from predictions import doses

finite = st.floats(-10, 10).filter(lambda value: abs(value) > 1e-3)


def seeds_of(truth, noise, count, seed):
    return truth + noise * np.random.default_rng(seed).standard_normal((count, *np.shape(truth)))


@given(arrays(float, (5, 3), elements=st.floats(0.1, 3)), finite)
def test_effects_on_a_line_leave_no_departure(given_doses, slope):
    found = doses.line(slope * given_doses, given_doses)
    assert found.slope == pytest.approx(slope)
    assert found.low == pytest.approx(slope)
    np.testing.assert_allclose(found.departure, 0, atol=1e-9)


def test_an_arm_that_answers_twice_as_strongly_departs_from_the_line_of_the_others():
    given_doses = np.tile([0.05, 0.1, 0.8, -0.8], (9, 1))
    effects = seeds_of(np.array([0.1, 0.1, 0.8, -0.8]), 0.005, 9, 0)
    found = doses.line(effects, given_doses)
    assert found.low < 1 < found.high
    assert found.departure_low[0] > 0
    assert found.departure_low[1] < 0 < found.departure_high[1]


def test_a_dose_is_the_coefficient_of_variation_and_knows_no_scale():
    factors = np.array([0.0, 1.0, 2.0, 1.0])
    assert doses.dose(factors) == pytest.approx(stats.variation(factors))
    assert doses.dose(7 * factors) == pytest.approx(doses.dose(factors))
    assert np.isnan(doses.dose(np.zeros(3)))


@given(arrays(float, 6, elements=st.floats(0.5, 2)), finite)
def test_a_share_of_proportional_effects_is_their_ratio_without_doubt(whole, ratio):
    if (found := doses.share(ratio * whole, whole)).low == found.low:
        assert (found.value, found.low, found.high) == pytest.approx((ratio,) * 3, rel=1e-4)


@pytest.mark.parametrize("truth", [0.0, 0.1, 1.0])
def test_fiellers_interval_covers_the_share_in_95_of_100_runs_and_its_ends_are_on_the_edge(truth):
    covered = 0
    for seed in range(400):
        whole = seeds_of(np.array(1.0), 0.4, 9, 2 * seed)
        effect = seeds_of(np.array(truth), 0.2, 9, 2 * seed + 1)
        found = doses.share(effect, whole)
        covered += found.low <= truth <= found.high
        for end in (found.low, found.high):
            assert stats.ttest_1samp(effect - end * whole, 0).pvalue == pytest.approx(0.05, abs=1e-6)
    assert 368 <= covered <= 392


def test_no_share_of_a_curriculum_that_does_nothing_is_bounded():
    nothing = np.array([1.0, -1.0, 0.5, -0.5])
    found = doses.share(np.ones(4), nothing)
    assert np.isnan([found.low, found.high]).all()


def test_half_the_difference_is_the_full_curriculum():
    assert doses.full_curriculum(np.array([3.0, 1.0]), np.array([1.0, -1.0])).tolist() == [1, 1]


@pytest.mark.parametrize("shape", [(3,), (2, 2)])
def test_other_shapes_and_doses_of_zero_are_refused(shape):
    with pytest.raises(ValueError, match="must both be"):
        doses.line(np.ones((3, 2)), np.ones(shape))
    with pytest.raises(ValueError, match="all 0"):
        doses.line(np.ones((3, 2)), np.zeros((3, 2)))
