"""Audio for tests."""

import numpy as np


def tune(seed: int, seconds: float, rate: int = 44100, channels: int = 2) -> np.ndarray:
    """[samples, channels] float64: a random melody with a slow swell, different for every seed, never silent."""
    generator = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    pitches = 110 * 2 ** (generator.integers(0, 36, 64) / 12)
    notes = np.sin(2 * np.pi * np.cumsum(pitches[(time * 4).astype(int) % 64]) / rate)
    swell = 0.1 + 0.4 * np.sin(np.pi * time / seconds * generator.uniform(0.5, 3)) ** 2
    return np.stack([notes * swell * level for level in generator.uniform(0.5, 1, channels)], axis=1)
