import numpy as np
import pytest

from eisbach.metrics import loudness

RATE = 4000


def steps(db: float) -> np.ndarray:
    """Power of ten seconds, the first half `db` above the second."""
    return np.where(np.arange(10 * RATE) < 5 * RATE, 1.0, 10 ** (-db / 10))


@pytest.mark.parametrize("db", [3, 20, 40])
def test_two_levels_are_their_distance_apart(db):
    assert loudness.dynamic_range_db(steps(db), RATE) == pytest.approx(db, abs=1e-6)


def test_gain_and_time_reversal_change_nothing():
    power = np.random.default_rng(0).random(10 * RATE) * np.linspace(0.1, 1, 10 * RATE)
    wanted = loudness.dynamic_range_db(power, RATE)
    assert loudness.dynamic_range_db(100 * power, RATE) == pytest.approx(wanted)
    assert loudness.dynamic_range_db(power[::-1], RATE) == pytest.approx(wanted, abs=0.1)


@pytest.mark.parametrize("power", [np.zeros(10 * RATE), np.ones(10 * RATE), np.ones(1), np.zeros(1)])
def test_silence_an_even_level_and_one_sample_have_no_range(power):
    assert loudness.dynamic_range_db(power, RATE) == pytest.approx(0, abs=1e-9)


def test_the_level_of_a_window_is_its_mean_power():
    power = np.random.default_rng(0).random(2 * RATE)
    levels = loudness.short_term_db(power, RATE)
    assert levels[1] == pytest.approx(10 * np.log10(power[400:2000].mean()))


def test_loudness_range_of_two_levels_and_of_what_has_none():
    rate = 8000
    tone = np.sin(2 * np.pi * 440 * np.arange(20 * rate) / rate)
    level = np.where(np.arange(len(tone)) < len(tone) / 2, 0.5, 0.25)
    assert loudness.loudness_range_lu(tone * level, rate) == pytest.approx(6.02, abs=0.3)
    assert loudness.loudness_range_lu(np.zeros(20 * rate), rate) == 0
    assert loudness.loudness_range_lu(tone[:1], rate) == 0
