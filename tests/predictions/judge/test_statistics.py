import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from predictions.judge import statistics

checked = settings(deadline=None, max_examples=60)
numbers = st.floats(-100, 100, allow_subnormal=False).map(lambda x: round(x, 3))
samples = arrays(np.float64, st.integers(2, 9), elements=numbers)
chances = st.floats(1e-6, 1)


def enumerated(values, center):
    """The share of all sign vectors whose sum reaches the observed one: the definition, by brute force."""
    moved = values - center
    sums = [np.dot(signs, moved) for signs in itertools.product((1, -1), repeat=len(moved))]
    return np.mean([total >= moved.sum() - 1e-9 * np.abs(moved).sum() for total in sums])


@checked
@given(samples, st.integers(-3, 3))
def test_the_sign_flip_test_is_the_share_of_sign_vectors(values, center):
    assert statistics.sign_flip_p(values, center, "greater") == pytest.approx(enumerated(values, center))


def test_the_sign_flip_test_agrees_with_scipy():
    values = np.random.default_rng(3).standard_normal(10) + 0.6
    for alternative in ("two-sided", "greater", "less"):
        wanted = stats.permutation_test(
            (values,), lambda x, axis: x.mean(axis), permutation_type="samples", n_resamples=np.inf,
            alternative=alternative,
        ).pvalue  # fmt: skip
        assert statistics.sign_flip_p(values, 0.0, alternative) == pytest.approx(wanted)


def test_beyond_16_seeds_random_subsets_agree_with_enumeration():
    values = np.random.default_rng(0).standard_normal(17) + 0.55
    exact = enumerated(values, 0.0)
    assert statistics.subsets(17).shape == (17, 2**16 - 1)
    assert statistics.sign_flip_p(values, 0.0, "greater") == pytest.approx(exact, abs=4 * math.sqrt(exact / 2**16))


@checked
@given(samples, st.integers(-100, 100))
def test_the_interval_contains_exactly_the_centers_that_the_test_does_not_reject(values, center):
    assume(np.ptp(values) > 0)
    low, high = statistics.sign_flip_interval(values, 0.2)
    if min(abs(center - low), abs(center - high)) < 1e-6:
        return
    assert (low < center < high) == (statistics.sign_flip_p(values, center) > 0.2)


@checked
@given(samples, st.floats(-10, 10).map(lambda x: round(x, 2)), st.floats(0.1, 10))
def test_the_interval_moves_and_scales_with_the_values(values, shift, scale):
    low, high = statistics.sign_flip_interval(values, 0.3)
    moved = statistics.sign_flip_interval(scale * values + shift, 0.3)
    np.testing.assert_allclose(moved, (scale * low + shift, scale * high + shift), rtol=1e-9, atol=1e-6)


def test_five_seeds_can_never_be_significant():
    assert statistics.sign_flip_p(np.full(5, 3.0)) == statistics.least_p(5) > statistics.ALPHA


def test_five_seeds_have_an_unbounded_interval():
    assert statistics.sign_flip_interval(np.full(5, 3.0)) == (-np.inf, np.inf)


def test_twelve_tests_need_at_least_nine_seeds():
    assert 12 * statistics.least_p(9) < statistics.ALPHA < 12 * statistics.least_p(8)


@checked
@given(samples)
def test_a_smaller_level_never_makes_the_interval_narrower(values):
    wide, narrow = (statistics.sign_flip_interval(values, level) for level in (0.05, 0.3))
    assert wide[0] <= narrow[0] <= narrow[1] <= wide[1] or not np.isfinite(narrow[0])


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=6, max_size=12))
def test_ties_make_a_test_cautious_and_never_sharper(values):
    values = np.array(values)
    assert statistics.sign_flip_p(values, 0.0, "greater") >= 2.0 ** -np.count_nonzero(values)
    greater, less = (statistics.sign_flip_p(values, 0.0, side) for side in ("greater", "less"))
    assert greater + less >= 1
