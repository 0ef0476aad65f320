import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from eisbach.metrics import validity

CLEAR = {"delta": 0.8, "low": 0.6, "high": 0.9}


def effects(**changed):
    return {pair: CLEAR for pair in validity.CLASSES} | changed


@pytest.fixture
def groups():
    rng = np.random.default_rng(0)
    return rng.standard_normal(30) + 0.5, rng.standard_normal(20)


def test_cliff_s_delta_is_the_rescaled_u_statistic(groups):
    high, low = groups
    assert validity.cliffs_delta(high, low) == pytest.approx(2 * mannwhitneyu(high, low).statistic / 600 - 1)


def test_the_bootstrap_interval_contains_the_delta(groups):
    low_edge, high_edge = validity.interval(*groups, paired=False)
    assert low_edge < validity.cliffs_delta(*groups) < high_edge


def test_resampling_pairs_together_gives_a_shorter_interval_where_pairs_differ_by_a_constant():
    high = np.random.default_rng(0).standard_normal(30)
    low = high - 0.3
    together, apart = (np.ptp(validity.interval(high, low, paired=paired)) for paired in (True, False))
    assert together < 0.5 * apart


@pytest.mark.parametrize(
    ("changed", "valid"),
    [
        ({}, True),
        ({"contrast_flat": {"delta": 0.2, "low": 0.1, "high": 0.3}}, False),
        ({"contrast_flat": {"delta": 0.5, "low": -0.1, "high": 0.9}}, False),
        ({"real_phase_randomised": {"delta": -0.9, "low": -1, "high": -0.8}}, False),
    ],
)
def test_a_metric_must_separate_every_pair_in_its_direction(changed, valid):
    assert validity.judge(validity.Claim(1), effects(**changed))[0] is valid


def test_only_metrics_that_depend_on_order_must_separate_shuffled_clips():
    no_order = effects(real_shuffled={"delta": 0.0, "low": 0.0, "high": 0.0})
    assert not validity.judge(validity.Claim(1), no_order)[0]
    assert validity.judge(validity.Claim(1, validity.UNORDERED), no_order)[0]


def test_without_a_claimed_direction_either_sign_is_valid():
    assert validity.judge(validity.Claim(0), effects(contrast_flat={"delta": -0.8, "low": -0.9, "high": -0.6}))[0]


LOWER = {"delta": -0.8, "low": -0.9, "high": -0.6}


def test_a_distance_must_be_smaller_for_the_real_clips():
    near = {"distinct_duplicated": LOWER, "real_phase_randomised": LOWER}
    assert validity.judge(validity.Claim(-1, validity.FAITHFUL), near)[0]
    assert not validity.judge(validity.Claim(1, validity.FAITHFUL), near)[0]


def test_the_reason_says_that_the_direction_is_opposite_to_the_claim():
    mixed = {"distinct_duplicated": LOWER, "real_phase_randomised": CLEAR}
    assert "opposite" in validity.judge(validity.Claim(-1, validity.FAITHFUL), mixed)[1]


def test_a_near_copy_differs_by_a_tenth_of_the_standard_deviation():
    latents = np.random.default_rng(0).standard_normal((64, 108)).astype(np.float32)
    made = validity.near_copy(latents, np.random.default_rng(1))
    assert made.dtype == np.float32
    assert np.sqrt(np.square(made - latents).mean()) == pytest.approx(0.1, rel=0.05)


@pytest.fixture
def phase_randomised():
    """(audio, the same with random phases): noise that grows louder, [2, 8000]."""
    rng = np.random.default_rng(0)
    audio = rng.standard_normal((2, 8000)) * np.linspace(0, 1, 8000) ** 4
    return audio, validity.phase_randomised(audio, rng)


def test_random_phases_keep_the_spectrum(phase_randomised):
    audio, made = phase_randomised
    assert np.abs(np.fft.rfft(made)) == pytest.approx(np.abs(np.fft.rfft(audio)), rel=1e-6, abs=1e-6)


def test_random_phases_spread_the_energy_evenly_over_time(phase_randomised):
    made = phase_randomised[1]
    halves = [np.square(half).sum() for half in np.split(made, 2, axis=1)]
    assert halves[0] == pytest.approx(halves[1], rel=0.3)


def test_shuffling_keeps_the_set_of_frames():
    latents = np.arange(12.0).reshape(2, 6)
    made = validity.shuffled(latents, np.random.default_rng(0))
    assert sorted(map(tuple, made.T)) == sorted(map(tuple, latents.T))


def test_the_committed_file_has_every_metric():
    assert set(validity.load()) == set(validity.CLAIMS)


def test_the_committed_file_follows_the_rule():
    for metric, verdict in validity.load().items():
        assert (verdict["valid"], verdict["reason"]) == validity.judge(validity.CLAIMS[metric], verdict["effects"])
