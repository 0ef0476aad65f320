"""How an arrangement follows its contrast label and its intensity curve.

Every clip has a contrast label c in [0, 1] and an intensity curve u over its time, from 0 (soft and thin) to 1 (loud
and full). The paper's curriculum claim is about contrast over time, so it is tested on clips whose contrast is known.
The label scales how closely the arrangement follows the curve:

- dynamics: the level is c (1 - u) DYNAMICS_DB below the loudest point; `arrange.VELOCITY_SHARE` of it comes from the
  notes' velocity, the rest from expression;
- parts: n - c (1 - u) (n - 1) of n parts play, so c = 1 ranges from a solo to all parts;
- density: where c u > 1/2 the outer parts are doubled at the octave; where c (1 - u) > 2/3 notes off the beat are
  left out.

With c = 0 all parts play the written notes at one level. Label and curve are drawn independently.
"""

from collections.abc import Callable

import numpy as np

DYNAMICS_DB = 30.0
SHAPES = ("crescendo", "diminuendo", "swell", "dip", "step up", "step down", "echoes")

Curve = Callable[[np.ndarray], np.ndarray]  # position in the clip in [0, 1] -> intensity u in [0, 1]


def curve(shape: str, turn: float) -> Curve:
    """The intensity curve of one of SHAPES; `turn` in (0, 1) is the position of its peak, dip or step."""
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


def level_db(contrast: float, intensity: np.ndarray) -> np.ndarray:
    """Level in dB relative to the loudest point, in [-DYNAMICS_DB, 0]; same shape as `intensity`."""
    return -DYNAMICS_DB * contrast * (1 - intensity)


def parts_playing(contrast: float, intensity: float, parts: int) -> int:
    """The number of parts that play, from 1 to `parts`."""
    return max(1, round(parts - contrast * (1 - intensity) * (parts - 1)))


def doubled(contrast: float, intensity: float) -> bool:
    """Whether the outer parts are doubled at the octave."""
    return contrast * intensity > 1 / 2


def thinned(contrast: float, intensity: float) -> bool:
    """Whether notes off the beat are left out."""
    return contrast * (1 - intensity) > 2 / 3
