import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisbach.metrics import similarity

STEP = 0.1


def sections(pattern: str, length: int, noise: float = 0.0) -> np.ndarray:
    """Features [8, T] of sections of `length` frames; sections with the same letter have the same features."""
    rng = np.random.default_rng(0)
    content = {letter: rng.standard_normal(8) for letter in sorted(set(pattern))}
    clip = np.repeat([content[letter] for letter in pattern], length, axis=0).T
    return clip + noise * rng.standard_normal(clip.shape)


def matrix(pattern: str, length: int, noise: float = 0.0) -> np.ndarray:
    return similarity.matrix(sections(pattern, length, noise), 0.3)


@pytest.mark.parametrize("length", [8, 13, 20])
def test_the_block_scale_of_alternating_blocks_is_their_length(length):
    assert similarity.block_scale(matrix("ABABABAB", length), STEP) == pytest.approx(length * STEP, rel=0.1)


@pytest.mark.parametrize("length", [8, 13, 20])
def test_alternating_blocks_have_a_period_of_two_blocks_and_full_regularity(length):
    s = matrix("ABABABAB", length)
    regularity, period = similarity.dark_zones(s, STEP)
    assert regularity == pytest.approx(1 - s[0, length], abs=1e-6)
    assert period == pytest.approx(2 * length * STEP)


def test_regularity_grows_with_the_darkness_of_the_dark_zones():
    clips = (gap * sections("ABABABAB", 13) for gap in (0.2, 1.0))
    near, far = (similarity.dark_zones(similarity.matrix(clip, 0.3), STEP)[0] for clip in clips)
    assert 0.2 < near < far


def test_shuffled_frames_have_little_regularity():
    """Their lag curve is noise: a rise divided by the depth of the curve would be large."""
    order = np.random.default_rng(0).permutation(104)
    shuffled = similarity.matrix(sections("ABABABAB", 13)[:, order], 0.3)
    assert similarity.dark_zones(shuffled, STEP)[0] < 0.3 * similarity.dark_zones(matrix("ABABABAB", 13), STEP)[0]


@given(shift=st.integers(0, 30))
def test_shifting_a_clip_in_time_shifts_its_matrix(shift):
    clip = sections("ABCA", 10)
    s = similarity.matrix(clip, 0.5)
    moved = similarity.matrix(np.roll(clip, shift, axis=1), 0.5)
    assert np.roll(s, (shift, shift), axis=(0, 1)) == pytest.approx(moved)


def test_the_matrix_is_a_positive_kernel_with_a_unit_diagonal():
    s = matrix("ABCD", 10, noise=0.3)
    assert s == pytest.approx(s.T)
    assert np.diagonal(s) == pytest.approx(1)
    assert s.min() >= 0
    assert np.linalg.eigvalsh(s).min() > -1e-9


def test_a_constant_clip_is_one_block_without_dark_zones_novelty_contrast_or_recurrence():
    s = matrix("A", 60)
    assert similarity.block_scale(s, STEP) == pytest.approx(6)
    assert similarity.dark_zones(s, STEP) == (0, 0)
    novelty = similarity.novelty(s, STEP)
    assert novelty.max() == pytest.approx(0, abs=1e-9)
    assert similarity.segment_contrast(s, similarity.boundaries(novelty, STEP)) == 0
    assert similarity.recurrence(s, STEP) == pytest.approx((0, 0))


def test_a_clip_that_never_repeats_has_no_regularity():
    s = similarity.matrix(np.linspace(0, 5, 100)[None], 0.3)
    assert similarity.dark_zones(s, STEP)[0] < 0.05


def test_boundaries_are_where_sections_meet():
    s = matrix("ABC", 40, noise=0.02)
    novelty = similarity.novelty(s, STEP)
    found = similarity.boundaries(novelty, STEP)
    assert len(found) == 2
    assert np.abs(found - [40, 80]).max() <= 1
    assert similarity.segment_contrast(s, found) > 0.5
    assert novelty.max() <= 1


def test_the_novelty_of_an_ideal_boundary_is_one_minus_the_similarity_of_its_sections():
    values = np.where(np.not_equal.outer(np.arange(80) < 40, np.arange(80) < 40), 0.3, 1.0)
    assert similarity.novelty(values, STEP)[40] == pytest.approx(0.7)


def test_white_noise_has_no_sections():
    s = similarity.matrix(np.random.default_rng(0).standard_normal((64, 100)), 1.4)
    assert len(similarity.boundaries(similarity.novelty(s, STEP), STEP)) == 0
    assert similarity.dark_zones(s, STEP)[0] < 0.2


@pytest.fixture(scope="module")
def copied_varied_noise():
    """(recurrence, variation) of a theme and its copy, of a theme and a noisy copy, and of noise."""
    rng = np.random.default_rng(1)
    theme = rng.standard_normal((64, 50))
    varied = theme + 0.5 * rng.standard_normal(theme.shape)
    clips = (np.hstack([theme, theme]), np.hstack([theme, varied]), rng.standard_normal((64, 100)))
    return [similarity.recurrence(similarity.matrix(clip, 1.0), STEP) for clip in clips]


def test_a_copied_theme_recurs_more_than_a_varied_one_and_that_more_than_noise(copied_varied_noise):
    (copied, _), (varied, _), (noise, _) = copied_varied_noise
    assert copied > varied > noise


def test_a_copied_theme_has_less_variation_than_a_varied_one_and_that_less_than_noise(copied_varied_noise):
    (_, copied), (_, varied), (_, noise) = copied_varied_noise
    assert copied < 0.15  # only the windows across the seam have no copy
    assert copied < varied < noise


@pytest.mark.parametrize("length", [1, 2, 5])
def test_all_metrics_of_a_clip_of_a_few_frames_are_finite(length):
    s = similarity.matrix(np.random.default_rng(0).standard_normal((4, length)), 1.0)
    novelty = similarity.novelty(s, STEP)
    numbers = [
        similarity.block_scale(s, STEP),
        *similarity.dark_zones(s, STEP),
        *similarity.recurrence(s, STEP),
        similarity.segment_contrast(s, similarity.boundaries(novelty, STEP)),
    ]
    assert np.isfinite(numbers).all()
