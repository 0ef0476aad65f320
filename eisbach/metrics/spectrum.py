"""Spectral contrast and spectral flux: how sharp the spectrum is, and how its changes are spread over time."""

import numpy as np

from eisbach.metrics.sound import FLOOR_DB

OCTAVES_HZ = 200.0 * 2.0 ** np.arange(7)  # 200 Hz to 12.8 kHz; what lies below and above are bands of their own
HEARD_DB = 30.0  # how far below an octave's peak a valley is still told from silence
AROUND_SECONDS = 0.25  # a change this near to a boundary belongs to it


def contrast_db(mel_db: np.ndarray, centres_hz: np.ndarray) -> float:
    """Peak-to-valley distance in dB, mean over octaves and time, of bands [M, F] (Jiang et al., 2002); at most 30.

    Peak and valley are the highest and the lowest band of an octave, as in librosa, whose 2 % are less than two of our
    bands. What lies more than 30 dB under its peak counts as 30 dB under it, and an octave whose peak is less than
    that above the floor is not heard: otherwise the valleys are the floor, and the distance is but a level. Octaves
    with fewer than two bands are left out; 0 where nothing is heard.
    """
    octave = np.searchsorted(OCTAVES_HZ, centres_hz, side="right")
    parts = [mel_db[octave == place] for place in range(len(OCTAVES_HZ) + 1)]
    distances = [
        np.minimum(np.ptp(part, axis=0), HEARD_DB)[part.max(0) >= FLOOR_DB + HEARD_DB]
        for part in parts
        if len(part) > 1
    ]
    heard = np.concatenate([np.zeros(0), *distances])
    return float(heard.mean()) if len(heard) else 0.0


def flux(spectrum_db: np.ndarray) -> np.ndarray:
    """[T] mean rise in dB of the bands [M, T] from one moment to the next; the first is 0.

    Moments are latents: within one, 23 ms apart, the rise is that of single notes, which no transition needs.
    """
    rise = np.maximum(np.diff(spectrum_db, axis=1, prepend=spectrum_db[:, :1]), 0)
    return rise.mean(0)


def hoyer(x: np.ndarray) -> float:
    """Sparsity (Hoyer, 2004) of non-negative x [n]: 0 when all are equal, 1 when one stands alone. Nothing: 0."""
    count, energy = len(x), np.sqrt(np.square(x).sum())
    if count < 2 or energy == 0:
        return 0.0
    return float((np.sqrt(count) - np.abs(x).sum() / energy) / (np.sqrt(count) - 1))


def gini(x: np.ndarray) -> float:
    """Gini index of non-negative x [n]: 0 when all are equal, 1 - 1/n when one stands alone. Nothing: 0."""
    count, total = len(x), x.sum()
    if total == 0:
        return 0.0
    ranks = np.arange(1, count + 1)
    return float((2 * ranks - count - 1) @ np.sort(x) / (count * total))


def at_transitions(flux: np.ndarray, boundaries_seconds: np.ndarray, rate: float) -> float:
    """Mean flux within 0.25 s of the boundaries over its mean everywhere; 1 without boundaries or without flux."""
    times = (np.arange(len(flux)) + 0.5) / rate
    near = (np.abs(times[:, None] - np.asarray(boundaries_seconds)[None]) <= AROUND_SECONDS).any(1)
    if not near.any() or flux.sum() == 0:
        return 1.0
    return float(flux[near].mean() / flux.mean())
