"""Samples of one prompt that differ in noise only: how alike is their structure, how different their detail?

Structure is what a self-similarity matrix shows at three quarters of a second; detail is what a running mean over
1.5 s takes away from the spectrum. The two are computed from different parts of the signal, so one can move alone.
"""

from itertools import combinations

import numpy as np
from scipy.ndimage import uniform_filter1d

from eisbach.metrics.similarity import distances
from eisbach.metrics.sound import STEP_SECONDS

COARSE_SECONDS, DETAIL_SECONDS = 0.75, 1.5


def structure_profile(slow: np.ndarray) -> np.ndarray:
    """Distances between all pairs of moments at a resolution of 0.75 s, for a slow spectrum [M, T] in dB."""
    width = round(COARSE_SECONDS / STEP_SECONDS)
    count = min(max(2, slow.shape[1] // width), slow.shape[1])
    coarse = np.stack([part.mean(1) for part in np.array_split(slow, count, axis=1)], 1)
    return distances(coarse)[np.triu_indices(count, 1)]


def detail(slow: np.ndarray) -> np.ndarray:
    """[M, T] the spectrum less its running mean over 1.5 s."""
    return slow - uniform_filter1d(slow, round(DETAIL_SECONDS / STEP_SECONDS), axis=1, mode="nearest")


def agreement(profiles: list[np.ndarray]) -> float:
    """Mean correlation of two profiles; 1 for copies. NaN with fewer than two; a profile without variance agrees 0."""
    values = [_correlation(one, other) for one, other in combinations(profiles, 2)]
    return float(np.mean(values)) if values else float("nan")


def structure_consistency(slow: list[list[np.ndarray]]) -> tuple[float, float]:
    """(within, excess) for slow spectra by prompt and noise: agreement within prompts; the same less that between them.

    Any two clips agree somewhat, because near moments are alike: the excess is what the prompt adds. Between prompts
    only clips of equal length are compared; the excess is NaN where there are none.
    """
    profiles = [[structure_profile(one) for one in group] for group in slow]
    within = float(np.mean([agreement(group) for group in profiles]))
    across = ((a, b) for one, other in combinations(profiles, 2) for a in one for b in other)
    pairs = [_correlation(a, b) for a, b in across if len(a) == len(b)]
    return within, within - float(np.mean(pairs)) if pairs else float("nan")


def detail_diversity(slow: list[list[np.ndarray]]) -> tuple[float, float]:
    """(in dB, normalised): root mean square distance of the details within a prompt; 1 less their correlation."""
    distance, correlation = [], []
    for group in slow:
        for one, other in combinations([detail(spectrum) for spectrum in group], 2):
            distance.append(np.sqrt(np.square(one - other).mean()))
            correlation.append(_correlation(one.ravel(), other.ravel()))
    if not distance:
        return float("nan"), float("nan")
    return float(np.mean(distance)), float(1 - np.mean(correlation))


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    if not len(one):  # one moment has no distances
        return 0.0
    one, other = one - one.mean(), other - other.mean()
    scale = np.sqrt(np.square(one).sum() * np.square(other).sum())
    return float(one @ other / scale) if scale > 1e-12 else 0.0
