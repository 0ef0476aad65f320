"""Levels of a signal in dB over short windows, and their range. The data preparation uses them as well."""

import numpy as np

WINDOW_SECONDS, HOP_SECONDS = 0.4, 0.1
FLOOR_DB = -80.0  # lower levels are raised to this


def level_db(power: np.ndarray, floor_db: float = FLOOR_DB) -> np.ndarray:
    """Power of any shape in dB relative to 1, at least `floor_db`."""
    return 10 * np.log10(np.maximum(power, 10 ** (floor_db / 10)))


def short_term_db(power: np.ndarray, rate: float, floor_db: float = FLOOR_DB) -> np.ndarray:
    """Level in dB of windows of 0.4 s, every 0.1 s, of instantaneous power [n] at `rate` values per second.

    A signal of less than 0.4 s is one window. Sums are float64: a running sum in float32 loses what is 60 dB softer.
    """
    window, hop = max(1, round(WINDOW_SECONDS * rate)), max(1, round(HOP_SECONDS * rate))
    window = min(window, len(power))
    total = np.concatenate([[0.0], np.cumsum(power, dtype=np.float64)])
    starts = np.arange(0, len(power) - window + 1, hop)
    return level_db((total[starts + window] - total[starts]) / window, floor_db)


def range_db(levels_db: np.ndarray, low_percentile: float) -> float:
    """95th percentile of levels [n] minus their `low_percentile`, in dB."""
    low, high = np.percentile(levels_db, [low_percentile, 95])
    return float(high - low)


def dynamic_range_db(power: np.ndarray, rate: float) -> float:
    """95th minus 5th percentile of the short-term level of `power` [n] at `rate` values per second, in dB.

    0 for silence, for a constant level and for a single window.
    """
    return range_db(short_term_db(power, rate), 5)
