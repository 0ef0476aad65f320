"""Contrast that nobody knows, only measures: where a recording stands among the corpus' own fine-tuning clips.

A score is arranged with a contrast that is *known*. Of a recording there is only its sound, so its contrast here is
the rank of its range of loudness over time. That is a proxy: noise, fades and gaps widen the range without any
musical contrast, and a change of texture at one level leaves it alone. The manifest says `measured` in
`contrast_source`; no claim about known contrast may be tested on such a corpus.
"""

import numpy as np


def contrast(ranges_db: np.ndarray, reference_db: np.ndarray) -> np.ndarray:
    """The share of `reference_db` below each of `ranges_db`, ties counted half: [N] in [0, 1].

    With the cuts of `contrast.contrast_class` at thirds, the classes are the tertiles of the reference.
    """
    ordered = np.sort(reference_db)
    below, upto = (np.searchsorted(ordered, ranges_db, side) for side in ("left", "right"))
    return (below + upto) / (2 * len(ordered))


def energy_range_db(latents: np.ndarray) -> float:
    """The range over time of the level of latents [C, T], 95th less 10th percentile, in dB.

    Stands in for the range of loudness where a corpus has latents and no sound.
    """
    power = np.square(latents.astype(np.float64)).mean(0)
    level = 10 * np.log10(np.maximum(power, 1e-9))
    return float(np.subtract(*np.percentile(level, (95, 10))))
