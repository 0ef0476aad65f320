"""Spectral contrast (how sharp the spectrum is) and spectral flux (how its changes are distributed over time)."""

import numpy as np

from eisbach.metrics.sound import FLOOR_DB

OCTAVES_HZ = 200.0 * 2.0 ** np.arange(7)  # 200 Hz to 12.8 kHz; one more octave band below and one above
MAX_CONTRAST_DB = 30.0  # a valley further below its octave's peak counts as 30 dB below
AROUND_SECONDS = 0.25  # frames this near to a boundary belong to the transition


def contrast_db(mel_db: np.ndarray, centres_hz: np.ndarray) -> float:
    """Spectral contrast of bands [M, F] in dB, 0..30 (Jiang et al., 2002): peak minus valley, mean over octaves.

    Peak and valley are the highest and the lowest band of an octave; librosa averages the top and bottom 2 %, which is
    less than two bands here. A contrast above 30 dB counts as 30 dB, and an octave whose peak is less than 30 dB above
    the floor is left out: its valley is the floor, so its contrast would only measure the level. Octaves with fewer
    than two bands are left out as well. The mean is over octaves and frames; 0 when no octave remains.
    """
    octave = np.searchsorted(OCTAVES_HZ, centres_hz, side="right")
    parts = [mel_db[octave == index] for index in range(len(OCTAVES_HZ) + 1)]
    distances = [
        np.minimum(np.ptp(part, axis=0), MAX_CONTRAST_DB)[part.max(0) >= FLOOR_DB + MAX_CONTRAST_DB]
        for part in parts
        if len(part) > 1
    ]
    contrasts = np.concatenate([np.zeros(0), *distances])
    return float(contrasts.mean()) if len(contrasts) else 0.0


def flux(spectrum_db: np.ndarray) -> np.ndarray:
    """Spectral flux [T]: mean rise in dB of the bands [M, T] from the previous frame; the first value is 0.

    Frames are latent frames of 93 ms. Between mel frames of 23 ms most rises are onsets of single notes.
    """
    rise = np.maximum(np.diff(spectrum_db, axis=1, prepend=spectrum_db[:, :1]), 0)
    return rise.mean(0)


def hoyer(x: np.ndarray) -> float:
    """Sparsity (Hoyer, 2004) of non-negative x [n]: 0 when all values are equal, 1 when only one is not 0. All 0: 0."""
    count, energy = len(x), np.sqrt(np.square(x).sum())
    if count < 2 or energy == 0:
        return 0.0
    return float((np.sqrt(count) - np.abs(x).sum() / energy) / (np.sqrt(count) - 1))


def gini(x: np.ndarray) -> float:
    """Gini index of non-negative x [n]: 0 when all values are equal, 1 - 1/n when only one is not 0. All 0: 0."""
    count, total = len(x), x.sum()
    if total == 0:
        return 0.0
    ranks = np.arange(1, count + 1)
    return float((2 * ranks - count - 1) @ np.sort(x) / (count * total))


def at_transitions(flux: np.ndarray, boundaries_seconds: np.ndarray, rate: float) -> float:
    """Mean of `flux` [T] within 0.25 s of a boundary, divided by its mean over the clip; `rate` is frames per second.

    1 when there are no boundaries or no flux.
    """
    times = (np.arange(len(flux)) + 0.5) / rate
    near = (np.abs(times[:, None] - np.asarray(boundaries_seconds)[None]) <= AROUND_SECONDS).any(1)
    if not near.any() or flux.sum() == 0:
        return 1.0
    return float(flux[near].mean() / flux.mean())
