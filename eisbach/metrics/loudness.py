"""Dynamic range: how far apart the loud and the soft moments of a clip are."""

import numpy as np

WINDOW_SECONDS, HOP_SECONDS = 0.4, 0.1
FLOOR_DB = -80.0  # levels below count as this


def short_term_db(power: np.ndarray, rate: float) -> np.ndarray:
    """Level in dB of windows of 0.4 s, every 0.1 s, of instantaneous power [n] at `rate` per second.

    A shorter signal is one window.
    """
    window, hop = max(1, round(WINDOW_SECONDS * rate)), max(1, round(HOP_SECONDS * rate))
    window = min(window, len(power))
    total = np.concatenate([[0.0], np.cumsum(power, dtype=np.float64)])
    starts = np.arange(0, len(power) - window + 1, hop)
    mean = (total[starts + window] - total[starts]) / window
    return 10 * np.log10(np.maximum(mean, 10 ** (FLOOR_DB / 10)))


def dynamic_range_db(power: np.ndarray, rate: float) -> float:
    """95th less 5th percentile of the short-term level; 0 for silence, a constant level and a single window."""
    low, high = np.percentile(short_term_db(power, rate), [5, 95])
    return float(high - low)


def loudness_range_lu(audio: np.ndarray, rate: int) -> float:
    """Loudness range of EBU Tech 3342 by pyloudnorm, of audio [samples]; 0 under 3 s and for silence."""
    import warnings

    import pyloudnorm

    if len(audio) < 3 * rate or not np.any(audio):
        return 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it means and percentiles empty slices where everything is gated
        value = pyloudnorm.Meter(rate).loudness_range(np.asarray(audio, np.float64))
    return float(value) if np.isfinite(value) else 0.0
