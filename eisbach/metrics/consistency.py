"""Samples of one prompt that differ only in noise: how similar is their structure, how different is their detail?

Structure is the self-similarity of the spectrum at a resolution of 0.75 s. Detail is the spectrum minus its running
mean over 1.5 s. They use different parts of the signal, so that one can change without the other.

All spectra here are slow spectra [M, T]: M mel bands in dB, T latent frames of 93 ms.
"""

from itertools import combinations

import numpy as np
from scipy.ndimage import uniform_filter1d

from eisbach.metrics.similarity import distances
from eisbach.metrics.sound import STEP_SECONDS

COARSE_SECONDS, DETAIL_SECONDS = 0.75, 1.5


def structure_profile(slow: np.ndarray) -> np.ndarray:
    """Distances between all pairs of frames of 0.75 s of a slow spectrum [M, T]: one value per pair."""
    width = round(COARSE_SECONDS / STEP_SECONDS)
    count = min(max(2, slow.shape[1] // width), slow.shape[1])
    coarse = np.stack([part.mean(1) for part in np.array_split(slow, count, axis=1)], 1)
    return distances(coarse)[np.triu_indices(count, 1)]


def detail(slow: np.ndarray) -> np.ndarray:
    """[M, T] the slow spectrum minus its running mean over 1.5 s."""
    return slow - uniform_filter1d(slow, round(DETAIL_SECONDS / STEP_SECONDS), axis=1, mode="nearest")


def agreement(profiles: list[np.ndarray]) -> float:
    """Mean correlation over all pairs of structure profiles; 1 for copies.

    A constant profile has correlation 0 with every other. NaN for fewer than two profiles.
    """
    values = [_correlation(one, other) for one, other in combinations(profiles, 2)]
    return float(np.mean(values)) if values else float("nan")


def structure_consistency(slow: list[list[np.ndarray]]) -> tuple[float, float]:
    """(within, excess) for slow spectra by prompt and noise.

    `within` is the mean agreement of samples of one prompt. `excess` subtracts the agreement of samples of different
    prompts, since neighbouring frames are similar in any clip. Only clips of equal length are compared between prompts;
    `excess` is NaN when there are none.
    """
    profiles = [[structure_profile(one) for one in group] for group in slow]
    within = float(np.mean([agreement(group) for group in profiles]))
    across = ((a, b) for one, other in combinations(profiles, 2) for a in one for b in other)
    pairs = [_correlation(a, b) for a, b in across if len(a) == len(b)]
    return within, within - float(np.mean(pairs)) if pairs else float("nan")


def detail_diversity(slow: list[list[np.ndarray]]) -> tuple[float, float]:
    """(in dB, normalised) for slow spectra by prompt and noise; both NaN when no prompt has two samples.

    In dB: root mean square distance of the details of two samples of one prompt. Normalised: 1 minus the correlation of
    the details.
    """
    distance, correlation = [], []
    for group in slow:
        for one, other in combinations([detail(spectrum) for spectrum in group], 2):
            distance.append(np.sqrt(np.square(one - other).mean()))
            correlation.append(_correlation(one.ravel(), other.ravel()))
    if not distance:
        return float("nan"), float("nan")
    return float(np.mean(distance)), float(1 - np.mean(correlation))


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    if not len(one):  # a clip of one frame has no pairs
        return 0.0
    one, other = one - one.mean(), other - other.mean()
    scale = np.sqrt(np.square(one).sum() * np.square(other).sum())
    return float(one @ other / scale) if scale > 1e-12 else 0.0
