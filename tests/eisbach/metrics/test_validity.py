import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from eisbach.metrics import validity

CLEAR = {"delta": 0.8, "low": 0.6, "high": 0.9}


def effects(**changed):
    return {pair: CLEAR for pair in validity.CLASSES} | changed


def test_cliff_s_delta_is_the_u_statistic():
    rng = np.random.default_rng(0)
    high, low = rng.standard_normal(30) + 0.5, rng.standard_normal(20)
    u = mannwhitneyu(high, low).statistic
    assert validity.cliffs_delta(high, low) == pytest.approx(2 * u / 600 - 1)
    low_edge, high_edge = validity.interval(high, low, paired=False)
    assert low_edge < validity.cliffs_delta(high, low) < high_edge


@pytest.mark.parametrize(
    ("changed", "fit"),
    [
        ({}, True),
        ({"contrast_flat": {"delta": 0.2, "low": 0.1, "high": 0.3}}, False),
        ({"contrast_flat": {"delta": 0.5, "low": -0.1, "high": 0.9}}, False),
        ({"real_phase_randomised": {"delta": -0.9, "low": -1, "high": -0.8}}, False),
    ],
)
def test_a_metric_must_separate_every_pair_in_its_direction(changed, fit):
    assert validity.judge(validity.Claim(1), effects(**changed))[0] is fit


def test_shuffling_is_not_asked_of_what_cannot_see_order_and_no_direction_means_either():
    blind = effects(real_shuffled={"delta": 0.0, "low": 0.0, "high": 0.0})
    assert not validity.judge(validity.Claim(1), blind)[0]
    assert validity.judge(validity.Claim(1, validity.UNORDERED), blind)[0]
    assert validity.judge(validity.Claim(0), effects(contrast_flat={"delta": -0.8, "low": -0.9, "high": -0.6}))[0]


def test_a_distance_is_to_be_smaller_for_the_real_clips():
    lower = {"delta": -0.8, "low": -0.9, "high": -0.6}
    near = {"distinct_duplicated": lower, "real_phase_randomised": lower}
    assert validity.judge(validity.Claim(-1, validity.FAITHFUL), near)[0]
    assert not validity.judge(validity.Claim(1, validity.FAITHFUL), near)[0]
    assert (
        "opposite" in validity.judge(validity.Claim(-1, validity.FAITHFUL), near | {"real_phase_randomised": CLEAR})[1]
    )


def test_a_near_copy_is_a_tenth_of_the_spread_away():
    latents = np.random.default_rng(0).standard_normal((64, 108)).astype(np.float32)
    made = validity.near_copy(latents, np.random.default_rng(1))
    assert made.dtype == np.float32
    assert np.sqrt(np.square(made - latents).mean()) == pytest.approx(0.1, rel=0.05)


def test_phase_randomising_keeps_the_spectrum_and_levels_the_clip():
    rng = np.random.default_rng(0)
    audio = rng.standard_normal((2, 8000)) * np.linspace(0, 1, 8000) ** 4
    made = validity.phase_randomised(audio, rng)
    assert np.abs(np.fft.rfft(made)) == pytest.approx(np.abs(np.fft.rfft(audio)), rel=1e-6, abs=1e-6)
    halves = [np.square(half).sum() for half in np.split(made, 2, axis=1)]
    assert halves[0] == pytest.approx(halves[1], rel=0.3)


def test_shuffling_keeps_the_moments():
    latents = np.arange(12.0).reshape(2, 6)
    made = validity.shuffled(latents, np.random.default_rng(0))
    assert sorted(map(tuple, made.T)) == sorted(map(tuple, latents.T))


def test_the_committed_file_judges_every_metric_by_the_rule():
    known = validity.load()
    assert set(known) == set(validity.CLAIMS)
    for metric, verdict in known.items():
        assert (verdict["fit"], verdict["reason"]) == validity.judge(validity.CLAIMS[metric], verdict["effects"])
