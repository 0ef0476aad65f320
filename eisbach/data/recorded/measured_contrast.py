"""A proxy for the unknown contrast of a recording: the rank of its loudness range among the fine-tuning clips.

A score is arranged with a *known* contrast. A recording only has its audio, from which we measure the range of
loudness over time. Noise, fades and gaps widen that range without any musical contrast, and a change of texture at
one level does not show in it. The manifest has `measured` in `contrast_source` for these clips; no claim about known
contrast may be tested on them.
"""

import numpy as np

from eisbach.metrics import loudness


def contrast_rank(ranges_db: np.ndarray, reference_db: np.ndarray) -> np.ndarray:
    """The share of `reference_db` [M] below each of `ranges_db` [N], ties counted half: [N] in [0, 1].

    `contrast.contrast_class` cuts at thirds, so the classes are the tertiles of the reference.
    """
    ordered = np.sort(reference_db)
    below, up_to = (np.searchsorted(ordered, ranges_db, side) for side in ("left", "right"))
    return (below + up_to) / (2 * len(ordered))


def energy_range_db(latents: np.ndarray) -> float:
    """The 95th less the 10th percentile over time of the level of latents [C, T], in dB.

    Replaces the loudness range where a corpus has latents and no audio.
    """
    power = np.square(latents.astype(np.float64)).mean(0)
    return loudness.range_db(loudness.level_db(power, floor_db=-90), 10)
