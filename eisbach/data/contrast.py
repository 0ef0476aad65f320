"""Contrast over time, the property on which the paper's curriculum claim rests, as something known.

A clip has a label c in [0, 1] and an intensity curve u over its time, from 0 (soft and thin) to 1 (loud and full).
The label scales how far the arrangement follows the curve:

- dynamics: c (1 - u) DYNAMICS_DB below the loudest moment, half by expression, a third by the velocity of the notes;
- parts: of n parts, n - c (1 - u) (n - 1) play, so that c = 1 goes from a solo to everybody;
- density: above c u = 1/2 the outer parts are doubled at the octave; above c (1 - u) = 2/3 notes off the beat are left
  out.

So c = 0 is one even level with everybody playing what is written. Shape and label are drawn apart from each other.
"""

from collections.abc import Callable

import numpy as np

DYNAMICS_DB = 30.0
CUTS = (1 / 3, 2 / 3)
CLASSES = ("flat", "middle", "contrast")

Curve = Callable[[np.ndarray], np.ndarray]  # place in the clip in [0, 1] -> intensity u in [0, 1]


def contrast_class(contrast: float) -> str:
    """flat below 1/3, contrast from 2/3 on, middle between."""
    return CLASSES[int(np.searchsorted(CUTS, contrast, side="right"))]


def curve(shape: str, turn: float) -> Curve:
    """The intensity curve of a shape; `turn` in (0, 1) is where it peaks, dips or steps."""
    rise, fall = (lambda s: np.minimum(s / turn, 1)), (lambda s: np.minimum((1 - s) / (1 - turn), 1))
    return {
        "crescendo": lambda s: np.asarray(s, float),
        "diminuendo": lambda s: 1 - np.asarray(s, float),
        "swell": lambda s: np.minimum(rise(s), fall(s)),
        "dip": lambda s: 1 - np.minimum(rise(s), fall(s)),
        "step up": lambda s: (np.asarray(s) >= turn).astype(float),
        "step down": lambda s: (np.asarray(s) < turn).astype(float),
        "echoes": lambda s: ((np.asarray(s) * 4 + 2 * turn).astype(int) % 2 == 0).astype(float),
    }[shape]


SHAPES = ("crescendo", "diminuendo", "swell", "dip", "step up", "step down", "echoes")


def level_db(contrast: float, intensity: np.ndarray) -> np.ndarray:
    """Dynamics in dB relative to the loudest moment."""
    return -DYNAMICS_DB * contrast * (1 - intensity)


def playing(contrast: float, intensity: float, parts: int) -> int:
    """How many of the parts play."""
    return max(1, round(parts - contrast * (1 - intensity) * (parts - 1)))


def doubled(contrast: float, intensity: float) -> bool:
    """Whether the outer parts are doubled at the octave."""
    return contrast * intensity > 1 / 2


def thinned(contrast: float, intensity: float) -> bool:
    """Whether notes off the beat are left out."""
    return contrast * (1 - intensity) > 2 / 3
