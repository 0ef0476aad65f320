"""How far apart samples sound: the rms difference of their slow log-mel spectra, in dB.

With the same prompt and noise the distance of two arms is paired: whatever remains is the training's. The distance of
two samples that differ in noise alone says how large such a distance can become.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

Slow = Sequence[Sequence[np.ndarray]]  # slow spectra [M, T] in dB, by prompt and noise


def rms_db(one: np.ndarray, other: np.ndarray) -> float:
    """The root mean square of the difference of two spectra [M, T] in dB."""
    return float(np.sqrt(np.square(one - other).mean()))


def paired(one: Slow, other: Slow) -> float:
    """The mean distance of two arms' samples of the same prompt and noise, in dB. Raises ValueError where one lacks a
    prompt or a noise of the other."""
    pairs = [(a, b) for first, second in zip(one, other, strict=True) for a, b in zip(first, second, strict=True)]
    return float(np.mean([rms_db(*pair) for pair in pairs]))


def across_noise(samples: Slow) -> float:
    """The mean distance of one arm's samples of the same prompt and another noise, in dB; NaN with one noise only."""
    found = [rms_db(*pair) for group in samples for pair in combinations(group, 2)]
    return float(np.mean(found)) if found else float("nan")


def metrics(arms: dict[str, Slow], arm: str, base: str = "base", baseline: str = "baseline") -> dict[str, float]:
    """`sample_distance_db` of `arm` to /baseline, to /base (each where it ran) and to another /noise."""
    references = [name for name in (baseline, base) if name in arms]
    found = {f"sample_distance_db/{name}": paired(arms[arm], arms[name]) for name in references}
    return found | {"sample_distance_db/noise": across_noise(arms[arm])}
