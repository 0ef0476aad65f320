import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisbach.metrics import similarity

STEP = 0.1


def sections(pattern: str, length: int, noise: float = 0.0) -> np.ndarray:
    """Features [8, T] of sections named by letters, `length` steps each: equal letters, equal features."""
    rng = np.random.default_rng(0)
    content = {letter: rng.standard_normal(8) for letter in sorted(set(pattern))}
    clip = np.repeat([content[letter] for letter in pattern], length, axis=0).T
    return clip + noise * rng.standard_normal(clip.shape)


def matrix(pattern: str, length: int, noise: float = 0.0) -> np.ndarray:
    return similarity.matrix(sections(pattern, length, noise), 0.3)


@pytest.mark.parametrize("length", [8, 13, 20])
def test_alternating_blocks_have_their_length_period_and_full_regularity(length):
    s = matrix("ABABABAB", length)
    assert similarity.block_scale(s, STEP) == pytest.approx(length * STEP, rel=0.1)
    regularity, period = similarity.dark_zones(s, STEP)
    assert regularity == pytest.approx(1 - s[0, length], abs=1e-6)
    assert period == pytest.approx(2 * length * STEP)


def test_regularity_is_as_deep_as_the_dark_zones_and_blind_to_a_clip_that_has_none():
    """Shuffled moments have a lag curve of mere noise: over its own depth it would seem to come back as a whole."""
    rng = np.random.default_rng(0)
    clips = (gap * sections("ABABABAB", 13) for gap in (0.2, 1.0))
    near, far = (similarity.dark_zones(similarity.matrix(clip, 0.3), STEP)[0] for clip in clips)
    shuffled = similarity.matrix(sections("ABABABAB", 13)[:, rng.permutation(104)], 0.3)
    assert 0.2 < near < far
    assert similarity.dark_zones(shuffled, STEP)[0] < 0.3 * far


@given(shift=st.integers(0, 30))
def test_the_matrix_of_a_shifted_clip_is_the_shifted_matrix(shift):
    clip = sections("ABCA", 10)
    s = similarity.matrix(clip, 0.5)
    moved = similarity.matrix(np.roll(clip, shift, axis=1), 0.5)
    assert np.roll(s, (shift, shift), axis=(0, 1)) == pytest.approx(moved)


def test_the_matrix_is_a_kernel():
    s = matrix("ABCD", 10, noise=0.3)
    assert s == pytest.approx(s.T)
    assert np.diagonal(s) == pytest.approx(1)
    assert s.min() >= 0
    assert np.linalg.eigvalsh(s).min() > -1e-9


def test_an_even_clip_is_one_block_without_dark_zones():
    s = matrix("A", 60)
    assert similarity.block_scale(s, STEP) == pytest.approx(6)
    assert similarity.dark_zones(s, STEP) == (0, 0)
    novelty = similarity.novelty(s, STEP)
    assert novelty.max() == pytest.approx(0, abs=1e-9)
    assert similarity.segment_contrast(s, similarity.boundaries(novelty, STEP)) == 0
    assert similarity.recurrence(s, STEP) == pytest.approx((0, 0))


def test_a_clip_that_never_comes_back_has_no_regularity():
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


def test_the_novelty_of_a_perfect_boundary_is_one_less_their_similarity():
    values = np.where(np.not_equal.outer(np.arange(80) < 40, np.arange(80) < 40), 0.3, 1.0)
    assert similarity.novelty(values, STEP)[40] == pytest.approx(0.7)


def test_white_noise_has_no_sections():
    s = similarity.matrix(np.random.default_rng(0).standard_normal((64, 100)), 1.4)
    assert len(similarity.boundaries(similarity.novelty(s, STEP), STEP)) == 0
    assert similarity.dark_zones(s, STEP)[0] < 0.2


def test_a_concatenated_copy_recurs_without_variation_and_noise_does_not_recur():
    rng = np.random.default_rng(1)
    theme = rng.standard_normal((64, 50))
    copy = similarity.recurrence(similarity.matrix(np.hstack([theme, theme]), 1.0), STEP)
    varied = similarity.recurrence(
        similarity.matrix(np.hstack([theme, theme + 0.5 * rng.standard_normal(theme.shape)]), 1.0), STEP
    )
    noise = similarity.recurrence(similarity.matrix(rng.standard_normal((64, 100)), 1.0), STEP)
    assert copy[1] < 0.15  # only the stretches across the seam have no copy
    assert copy[0] > varied[0] > noise[0]
    assert copy[1] < varied[1] < noise[1]


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_clip_of_a_few_moments_has_defined_values(length):
    s = similarity.matrix(np.random.default_rng(0).standard_normal((4, length)), 1.0)
    novelty = similarity.novelty(s, STEP)
    numbers = [
        similarity.block_scale(s, STEP),
        *similarity.dark_zones(s, STEP),
        *similarity.recurrence(s, STEP),
        similarity.segment_contrast(s, similarity.boundaries(novelty, STEP)),
    ]
    assert np.isfinite(numbers).all()
