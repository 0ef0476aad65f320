import numpy as np
import pytest

from eisbach.metrics import loudness

RATE = 4000


def steps(db: float) -> np.ndarray:
    """Power of ten seconds whose first half is `db` above the second."""
    return np.where(np.arange(10 * RATE) < 5 * RATE, 1.0, 10 ** (-db / 10))


@pytest.mark.parametrize("db", [3, 20, 40])
def test_the_range_of_two_levels_is_their_difference(db):
    assert loudness.dynamic_range_db(steps(db), RATE) == pytest.approx(db, abs=1e-6)


def crescendo() -> np.ndarray:
    return np.random.default_rng(0).random(10 * RATE) * np.linspace(0.1, 1, 10 * RATE)


def test_gain_does_not_change_the_range():
    power = crescendo()
    assert loudness.dynamic_range_db(100 * power, RATE) == pytest.approx(loudness.dynamic_range_db(power, RATE))


def test_time_reversal_does_not_change_the_range():
    power = crescendo()
    wanted = loudness.dynamic_range_db(power, RATE)
    assert loudness.dynamic_range_db(power[::-1], RATE) == pytest.approx(wanted, abs=0.1)


@pytest.mark.parametrize("power", [np.zeros(10 * RATE), np.ones(10 * RATE), np.ones(1), np.zeros(1)])
def test_silence_a_constant_level_and_one_sample_have_no_range(power):
    assert loudness.dynamic_range_db(power, RATE) == pytest.approx(0, abs=1e-9)


def test_the_level_of_a_window_is_its_mean_power():
    power = np.random.default_rng(0).random(2 * RATE)
    levels = loudness.short_term_db(power, RATE)
    assert levels[1] == pytest.approx(10 * np.log10(power[400:2000].mean()))


def test_levels_below_the_floor_are_raised_to_it():
    assert loudness.short_term_db(np.zeros(RATE), RATE, floor_db=-90) == pytest.approx(-90)


def test_the_range_starts_at_the_percentile_asked_for():
    assert loudness.range_db(np.arange(101.0), 10) == pytest.approx(85)
