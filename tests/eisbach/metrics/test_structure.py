import numpy as np
import pytest

from eisbach.metrics import structure

RATE = 44100


def test_dynamic_range_of_two_levels_is_their_distance():
    tone = np.sin(2 * np.pi * 440 * np.arange(10 * RATE) / RATE)
    level = np.where(np.arange(len(tone)) < len(tone) / 2, 0.5, 0.005)
    assert structure.dynamic_range_db(tone * level) == pytest.approx(40, abs=0.1)


@pytest.mark.parametrize("gain", [0.01, 1.0])
def test_dynamic_range_does_not_know_the_gain(gain):
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((2, 5 * RATE)) * np.linspace(0.1, 1, 5 * RATE)
    assert structure.dynamic_range_db(gain * noise) == pytest.approx(structure.dynamic_range_db(noise), abs=1e-3)


def test_silence_has_no_range():
    assert structure.dynamic_range_db(np.zeros(5 * RATE)) == 0


def test_a_chord_has_more_spectral_contrast_than_noise():
    rng = np.random.default_rng(0)
    time = np.arange(3 * RATE) / RATE
    chord = sum(np.sin(2 * np.pi * f * time) for f in (220, 440, 660, 1760, 3520))
    noise = rng.standard_normal(len(time))
    assert structure.spectral_contrast_db(chord) > structure.spectral_contrast_db(noise) + 5


def test_the_area_of_a_square_is_its_area():
    plane = (np.zeros(3), np.eye(3)[:2])
    corners = np.array([[0, 2, 2, 0], [0, 0, 2, 2], [9, 9, 9, 9]], dtype=float)
    assert structure.trajectory_area(corners, plane) == pytest.approx(4)


def test_a_line_sweeps_nothing():
    plane = (np.zeros(2), np.eye(2))
    assert structure.trajectory_area(np.vstack([np.arange(5.0), np.arange(5.0)]), plane) == 0


def test_the_plane_holds_the_directions_of_most_variance():
    rng = np.random.default_rng(0)
    latents = rng.standard_normal((500, 4, 30)) * np.array([1, 5, 0.1, 3]).reshape(1, 4, 1)
    _, directions = structure.principal_plane(latents)
    assert np.abs(directions @ np.eye(4)[[1, 3]].T) == pytest.approx(np.eye(2), abs=0.05)


def test_participation_ratio_counts_equal_directions():
    rng = np.random.default_rng(0)
    assert structure.participation_ratio(rng.standard_normal((6, 20000))) == pytest.approx(6, rel=0.01)
    assert structure.participation_ratio(np.outer(np.ones(6), rng.standard_normal(100))) == pytest.approx(1)
    assert structure.participation_ratio(np.ones((6, 10))) == 1
