import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisbach.data.contrast import contrast_class
from eisbach.data.recorded.measured_contrast import contrast_rank, energy_range_db

RANGES = st.lists(st.floats(0, 60), min_size=3, max_size=60, unique=True)


@given(RANGES)
def test_measured_contrast_rises_with_the_range(ranges):
    contrast = contrast_rank(np.array(ranges), np.array(ranges))
    assert ((contrast > 0) & (contrast < 1)).all()
    assert (np.argsort(contrast) == np.argsort(ranges)).all()


@given(RANGES)
def test_measured_classes_are_the_thirds_of_the_reference(ranges):
    classes = [contrast_class(contrast) for contrast in contrast_rank(np.array(ranges), np.array(ranges))]
    counts = [classes.count(name) for name in ("flat", "middle", "contrast")]
    assert max(counts) - min(counts) <= 1


def test_equal_ranges_have_the_middle_rank():
    assert contrast_rank(np.ones(4), np.ones(7)).tolist() == [0.5] * 4


def test_even_latents_have_no_energy_range():
    assert energy_range_db(np.ones((4, 100))) == pytest.approx(0)


def test_the_energy_range_of_a_fade_is_that_between_its_percentiles():
    fading = np.ones((4, 100)) * 10 ** (-np.linspace(0, 40, 100) / 20)
    assert energy_range_db(fading) == pytest.approx(0.85 * 40, rel=0.02)
