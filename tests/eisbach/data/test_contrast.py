import pytest

from eisbach.data.contrast import contrast_class


@pytest.mark.parametrize(
    ("contrast", "name"),
    [(0.0, "flat"), (0.333, "flat"), (1 / 3, "middle"), (0.666, "middle"), (2 / 3, "contrast"), (1.0, "contrast")],
)
def test_classes_are_cut_at_thirds(contrast, name):
    assert contrast_class(contrast) == name
