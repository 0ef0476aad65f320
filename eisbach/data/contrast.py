"""The classes of a clip's contrast label: flat, middle or contrast.

The label is a number in [0, 1]. Rendered scores are arranged with a label that we choose (`scores.dynamics`);
recordings get one from their measured loudness range (`recorded.measured_contrast`).
"""

import numpy as np

CUTS = (1 / 3, 2 / 3)
CLASSES = ("flat", "middle", "contrast")


def contrast_class(contrast: float) -> str:
    """The class of a label in [0, 1]: flat below 1/3, contrast from 2/3 on, middle between."""
    return CLASSES[int(np.searchsorted(CUTS, contrast, side="right"))]
