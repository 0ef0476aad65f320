import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from benchmarks.calibration import cells, plant
from eisbach.seeds import numpy_generator
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


def test_five_seeds_have_an_unbounded_interval_and_no_detectable_effect():
    assert statistics.sign_flip_interval(np.full(5, 3.0)) == (-np.inf, np.inf)
    assert statistics.detectable_effect(5, 1.0, 0.0, 1) == np.inf


def test_twelve_tests_need_at_least_nine_seeds():
    assert 12 * statistics.least_p(9) < statistics.ALPHA < 12 * statistics.least_p(8)


def test_the_bca_interval_is_scipy_s():
    values = np.random.default_rng(1).exponential(size=12)
    rng = numpy_generator(0, "bca")
    wanted = stats.bootstrap((values,), np.mean, n_resamples=9999, method="BCa", rng=rng).confidence_interval
    assert statistics.bca_interval(values, seed=0) == (wanted.low, wanted.high)


def test_the_bca_interval_of_equal_values_has_no_width():
    assert statistics.bca_interval(np.full(6, 2.0), seed=0) == (2.0, 2.0)


@checked
@given(samples, st.floats(0.01, 50))
def test_equivalence_is_the_larger_of_two_one_sided_tests(values, margin):
    sides = statistics.sign_flip_p(values, -margin, "greater"), statistics.sign_flip_p(values, margin, "less")
    assert statistics.tost_p(values, margin) == max(sides)
    assert statistics.noninferiority_p(values, margin) == sides[0]
    assert statistics.tost_p(-values, margin) == pytest.approx(statistics.tost_p(values, margin))


@checked
@given(arrays(np.float64, st.integers(1, 6), elements=chances))
def test_without_tests_against_the_claims_the_correction_is_holm_s(p):
    adjusted, against = statistics.holm(p, np.full_like(p, np.nan))
    order = sorted(range(len(p)), key=lambda i: p[i])
    running, wanted = 0.0, np.empty(len(p))
    for place, index in enumerate(order):
        running = max(running, min(1.0, (len(p) - place) * p[index]))
        wanted[index] = running
    np.testing.assert_allclose(adjusted, wanted)
    assert np.isnan(against).all()


@checked
@given(arrays(np.float64, (2, 4), elements=chances))
def test_corrected_p_values_lie_between_the_raw_ones_and_bonferroni_s(tests):
    adjusted = np.stack(statistics.holm(*tests))
    assert (adjusted >= tests - 1e-12).all()
    assert (adjusted <= np.minimum(1, 4 * tests.max()) + 1e-12).all()
    first = np.unravel_index(tests.argmin(), tests.shape)
    assert adjusted[first] == pytest.approx(min(1, 4 * tests[first]))


def test_holm_s_correction_of_a_known_case():
    adjusted, _ = statistics.holm(np.array([0.01, 0.04, 0.03, 0.005]), np.full(4, np.nan))
    np.testing.assert_allclose(adjusted, [0.03, 0.06, 0.06, 0.02])  # R: p.adjust(c(.01, .04, .03, .005), "holm")


def test_the_smallest_effect_is_the_larger_of_two_rules():
    baseline = np.array([0.0, 2.0, 4.0])
    assert statistics.smallest_effect(baseline, np.full(3, 1.0)) == pytest.approx(1.0)  # half of 2
    assert statistics.smallest_effect(baseline, np.full(3, -8.0)) == pytest.approx(2.0)  # a quarter of 8


def test_the_detectable_effect_grows_with_spread_margin_and_family():
    found = statistics.detectable_effect(9, 1.0, 0.0, 1)
    assert statistics.detectable_effect(9, 2.0, 0.0, 1) == pytest.approx(2 * found)
    assert statistics.detectable_effect(9, 1.0, 0.0, 12) > found
    assert statistics.detectable_effect(9, 1.0, 0.7, 1) == pytest.approx(found + 0.7)
    critical = stats.t.ppf(0.975, 8)
    known = next(d for d in np.arange(0, 3, 0.01) if stats.nct.sf(critical, 8, 3 * d) >= 0.8)  # the t test's, sd known
    assert known < found < 1.4 * known  # for tails heavier than normal, and a deviation that is itself uncertain


def test_a_trend_is_the_change_along_the_line():
    levels = [0.3, 0.5, 1.0]
    values = np.outer([1.0, -2.0], levels) + 5
    np.testing.assert_allclose(statistics.trend_change(levels, values), [0.7, -1.4])


def test_a_monotone_rise_is_found_and_a_fall_is_not():
    rising = np.random.default_rng(0).standard_normal((8, 5)) + np.arange(5)
    assert statistics.isotonic_p(rising, seed=0) < 0.001
    assert statistics.isotonic_p(-rising, seed=0) > 0.5


def test_noise_passes_for_a_monotone_rise_at_the_stated_rate():
    rng = np.random.default_rng(0)
    rejected = [statistics.isotonic_p(rng.standard_normal((6, 4)), 0, draws=99) <= 0.1 for _ in range(200)]
    assert np.mean(rejected) == pytest.approx(0.1, abs=0.065)  # three standard errors


@pytest.mark.parametrize("shape", ["normal", "skewed"])
def test_error_rates_and_coverage_at_nine_seeds_are_as_stated(shape):
    """One row of docs/calibration.md, simulated again: 2,000 experiments, within three standard errors."""
    rates = cells.cell_rates((9, shape, 0.9), 2000)
    error = 3 * math.sqrt(0.05 * 0.95 / 2000)
    assert max(rates["false_effect"], rates["false_equivalence"], rates["false_either"]) < 0.05 + error
    assert rates["covered"] == pytest.approx(0.95, abs=error)


@pytest.mark.parametrize("shape", [*plant.SHAPES, plant.UNSEEN])
def test_the_detectable_effect_is_detected_in_four_of_five_experiments_of_every_shape(shape):
    rates = cells.power((9, shape, 0.9), 1000)
    assert min(rates.values()) > 0.8 - 3 * math.sqrt(0.8 * 0.2 / 1000)
    assert max(rates.values()) < 0.93  # normal values: 0.88, and three standard errors
