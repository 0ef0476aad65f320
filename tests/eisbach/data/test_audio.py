import numpy as np
import pytest

from eisbach.data import audio
from eisbach.metrics import loudness
from tests.eisbach.data.music import tune


def test_normalising_gives_the_target_rms_where_the_peak_allows():
    normalised = audio.normalise(tune(0, 2.0).T)
    assert audio.rms_db(normalised) == pytest.approx(audio.RMS_DB, abs=1e-3)
    assert np.abs(normalised).max() < 1


def test_normalising_a_click_stops_at_the_peak():
    click = np.zeros((2, 44100))
    click[:, 100] = 0.01
    levels = audio.measure_levels(audio.normalise(click))
    assert levels["peak_db"] == pytest.approx(audio.PEAK_DB, abs=1e-3)
    assert levels["rms_db"] < audio.RMS_DB


def test_normalising_leaves_silence_alone():
    assert not audio.normalise(np.zeros((2, 100))).any()


def test_levels_of_silence_are_the_floor():
    levels = audio.measure_levels(np.zeros((2, 44100)))
    assert levels == {"rms_db": audio.FLOOR_DB, "peak_db": audio.FLOOR_DB, "loudness_range_db": 0}


def test_the_loudness_range_of_two_levels_is_their_distance():
    loud = np.ones((2, 5 * 44100))
    levels = audio.measure_levels(0.1 * np.concatenate([loud, loud / 10], axis=1))
    assert levels["loudness_range_db"] == pytest.approx(20, abs=1e-3)


@pytest.mark.parametrize("db", [20, 40, 60])
def test_float32_audio_with_a_soft_tail_has_the_levels_of_its_windows(db):
    sound = np.random.default_rng(0).standard_normal((2, 10 * 44100)).astype("float32") * 0.1
    sound[:, 5 * 44100 :] *= np.float32(10 ** (-db / 20))
    levels = loudness.short_term_db(np.mean(sound**2, axis=0), 44100, floor_db=-120)
    starts = np.arange(len(levels)) * 4410
    power = [np.mean(sound[:, start : start + 17640].astype("float64") ** 2) for start in starts]
    assert levels == pytest.approx(10 * np.log10(power), abs=1e-4)
    assert audio.measure_levels(sound)["loudness_range_db"] == pytest.approx(db, abs=0.2)
