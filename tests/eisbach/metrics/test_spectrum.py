import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from eisbach.metrics import spectrum

vectors = npst.arrays(float, st.integers(2, 40), elements=st.floats(0, 1e3, allow_subnormal=False))


@pytest.mark.parametrize("measure", [spectrum.hoyer, spectrum.gini])
@given(x=vectors, scale=st.floats(0.01, 100))
def test_sparsity_is_bounded_and_knows_neither_scale_nor_order(measure, x, scale):
    value = measure(x)
    assert -1e-9 <= value <= 1 + 1e-9
    assert measure(x[::-1]) == pytest.approx(value, abs=1e-9)
    if x.sum() > 1e-3:
        assert measure(scale * x) == pytest.approx(value, abs=1e-6)


def test_sparsity_at_its_ends():
    one = np.eye(10)[3]
    assert spectrum.hoyer(one) == pytest.approx(1)
    assert spectrum.gini(one) == pytest.approx(0.9)
    assert spectrum.hoyer(np.ones(10)) == pytest.approx(0)
    assert spectrum.gini(np.ones(10)) == pytest.approx(0)
    assert spectrum.hoyer(np.zeros(10)) == spectrum.gini(np.zeros(10)) == 0


def test_gini_is_half_the_relative_mean_difference():
    x = np.random.default_rng(0).random(50)
    differences = np.abs(np.subtract.outer(x, x)).mean()
    assert spectrum.gini(x) == pytest.approx(differences / (2 * x.mean()))


def test_moving_mass_to_the_rich_makes_it_sparser():
    poor, rich = np.array([2.0, 3, 4, 5]), np.array([1.0, 3, 4, 6])
    assert spectrum.gini(rich) > spectrum.gini(poor)
    assert spectrum.hoyer(rich) > spectrum.hoyer(poor)


def test_flux_is_librosa_s_onset_strength():
    mel_db = np.random.default_rng(0).uniform(-80, 0, (30, 200))
    wanted = librosa.onset.onset_strength(S=mel_db, center=False, detrend=False)
    assert spectrum.flux(mel_db)[1:] == pytest.approx(wanted[1:], rel=1e-5)


def test_a_click_train_has_sparser_flux_than_noise_and_a_still_spectrum_has_none():
    clicks = np.full((20, 400), -80.0)
    clicks[:, ::50] = 0
    noise = np.random.default_rng(0).uniform(-20, 0, (20, 400))
    assert spectrum.hoyer(spectrum.flux(clicks)) > 0.8
    assert spectrum.hoyer(spectrum.flux(noise)) < 0.1
    assert not spectrum.flux(np.full((20, 400), -3.0)).any()


def test_flux_at_transitions_counts_its_concentration():
    flux = np.zeros(100)
    flux[50] = 1
    assert spectrum.at_transitions(flux, np.array([5.05]), 10) == pytest.approx(100 / 5, rel=0.3)
    assert spectrum.at_transitions(flux, np.array([1.0]), 10) == 0
    assert spectrum.at_transitions(flux, np.array([]), 10) == 1
    assert spectrum.at_transitions(np.ones(100), np.array([3.0]), 10) == pytest.approx(1)


def test_contrast_is_librosa_s_where_an_octave_has_few_bands():
    """Its 2 % of an octave's bands are then one: the highest, the lowest; it gives the octaves, we their mean."""
    centres, mel_db = np.geomspace(50, 20000, 128), np.random.default_rng(0).uniform(-35, -10, (128, 40))
    wanted = librosa.feature.spectral_contrast(S=10 ** (mel_db / 10), freq=centres, fmin=200.0, n_bands=6)
    assert spectrum.contrast_db(mel_db, centres) == pytest.approx(wanted.mean(), rel=0.05)


def test_peaks_have_contrast_that_noise_has_not_and_gain_does_not_matter():
    centres = np.geomspace(50, 20000, 128)
    even = np.full((128, 50), -30.0)
    peaks = even.copy()
    peaks[::4] += 25
    assert spectrum.contrast_db(even, centres) == pytest.approx(0, abs=1e-9)
    assert spectrum.contrast_db(peaks, centres) == pytest.approx(25, abs=4)
    assert spectrum.contrast_db(peaks - 12, centres) == pytest.approx(spectrum.contrast_db(peaks, centres), abs=1e-6)


def test_valleys_under_the_floor_do_not_make_contrast_a_level():
    """The same notes 20 dB softer, over a floor at -80 dB: the distance stays, where the plain one would fall."""
    centres = np.geomspace(50, 20000, 128)
    loud = np.full((128, 50), -300.0)
    loud[::4] = -20
    one, other = (spectrum.contrast_db(np.maximum(loud + gain, -80), centres) for gain in (0, -20))
    assert one == other == 30
    assert spectrum.contrast_db(np.full((128, 50), -80.0), centres) == 0
