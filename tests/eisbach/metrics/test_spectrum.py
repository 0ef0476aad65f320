import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from eisbach.metrics import spectrum

vectors = npst.arrays(float, st.integers(2, 40), elements=st.floats(0, 1e3, allow_subnormal=False))


@pytest.mark.parametrize("measure", [spectrum.hoyer, spectrum.gini])
@given(x=vectors)
def test_sparsity_is_between_zero_and_one_and_independent_of_order(measure, x):
    value = measure(x)
    assert -1e-9 <= value <= 1 + 1e-9
    assert measure(x[::-1]) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("measure", [spectrum.hoyer, spectrum.gini])
@given(x=vectors.filter(lambda x: x.sum() > 1e-3), scale=st.floats(0.01, 100))
def test_sparsity_is_independent_of_scale(measure, x, scale):
    assert measure(scale * x) == pytest.approx(measure(x), abs=1e-6)


def test_a_single_value_that_is_not_zero_is_the_sparsest():
    assert spectrum.hoyer(np.eye(10)[3]) == pytest.approx(1)
    assert spectrum.gini(np.eye(10)[3]) == pytest.approx(0.9)


@pytest.mark.parametrize("measure", [spectrum.hoyer, spectrum.gini])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_equal_values_have_no_sparsity(measure, value):
    assert measure(np.full(10, value)) == pytest.approx(0)


def test_the_gini_index_is_half_the_relative_mean_difference():
    x = np.random.default_rng(0).random(50)
    differences = np.abs(np.subtract.outer(x, x)).mean()
    assert spectrum.gini(x) == pytest.approx(differences / (2 * x.mean()))


def test_moving_mass_from_the_smallest_to_the_largest_value_increases_sparsity():
    poor, rich = np.array([2.0, 3, 4, 5]), np.array([1.0, 3, 4, 6])
    assert spectrum.gini(rich) > spectrum.gini(poor)
    assert spectrum.hoyer(rich) > spectrum.hoyer(poor)


def test_flux_is_librosa_s_onset_strength():
    mel_db = np.random.default_rng(0).uniform(-80, 0, (30, 200))
    wanted = librosa.onset.onset_strength(S=mel_db, center=False, detrend=False)
    assert spectrum.flux(mel_db)[1:] == pytest.approx(wanted[1:], rel=1e-5)


def test_the_flux_of_clicks_is_sparse_and_that_of_noise_is_not():
    clicks = np.full((20, 400), -80.0)
    clicks[:, ::50] = 0
    noise = np.random.default_rng(0).uniform(-20, 0, (20, 400))
    assert spectrum.hoyer(spectrum.flux(clicks)) > 0.8
    assert spectrum.hoyer(spectrum.flux(noise)) < 0.1


def test_a_constant_spectrum_has_no_flux():
    assert not spectrum.flux(np.full((20, 400), -3.0)).any()


def test_flux_at_one_frame_is_concentrated_at_a_boundary_there_and_absent_from_one_elsewhere():
    flux = np.eye(100)[50]
    assert spectrum.at_transitions(flux, np.array([5.05]), 10) == pytest.approx(100 / 5, rel=0.3)
    assert spectrum.at_transitions(flux, np.array([1.0]), 10) == 0


def test_flux_at_transitions_is_one_without_boundaries_and_for_constant_flux():
    assert spectrum.at_transitions(np.eye(100)[50], np.array([]), 10) == 1
    assert spectrum.at_transitions(np.ones(100), np.array([3.0]), 10) == pytest.approx(1)


def test_contrast_is_the_mean_of_librosa_s_octaves_where_they_have_few_bands():
    """2 % of an octave's bands are then one band, the highest or the lowest."""
    centres, mel_db = np.geomspace(50, 20000, 128), np.random.default_rng(0).uniform(-35, -10, (128, 40))
    wanted = librosa.feature.spectral_contrast(S=10 ** (mel_db / 10), freq=centres, fmin=200.0, n_bands=6)
    assert spectrum.contrast_db(mel_db, centres) == pytest.approx(wanted.mean(), rel=0.05)


CENTRES = np.geomspace(50, 20000, 128)


def peaks() -> np.ndarray:
    """[128, 50] every fourth band 25 dB above the others."""
    return np.where(np.arange(128) % 4 == 0, -5.0, -30.0)[:, None].repeat(50, 1)


def test_the_contrast_of_peaks_is_their_height_and_that_of_a_flat_spectrum_is_zero():
    assert spectrum.contrast_db(peaks(), CENTRES) == pytest.approx(25, abs=4)
    assert spectrum.contrast_db(np.full((128, 50), -30.0), CENTRES) == pytest.approx(0, abs=1e-9)


def test_gain_does_not_change_contrast():
    assert spectrum.contrast_db(peaks() - 12, CENTRES) == pytest.approx(
        spectrum.contrast_db(peaks(), CENTRES), abs=1e-6
    )


def test_notes_over_the_floor_have_the_same_contrast_when_20_db_softer():
    """Peak minus floor alone would fall by 20 dB."""
    loud = np.full((128, 50), -300.0)
    loud[::4] = -20
    one, other = (spectrum.contrast_db(np.maximum(loud + gain, -80), CENTRES) for gain in (0, -20))
    assert one == other == 30


def test_silence_has_no_contrast():
    assert spectrum.contrast_db(np.full((128, 50), -80.0), CENTRES) == 0
