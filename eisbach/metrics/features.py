"""Features [D, T] of a clip from which its self-similarity matrix is computed; `evaluate.similarity` chooses one.

Each function takes a sound and its latents [C, T] and returns one column per latent frame, smoothed over 0.45 s.
"""

from collections.abc import Callable

import numpy as np

from eisbach.metrics.similarity import smooth
from eisbach.metrics.sound import STEP_SECONDS, Sound

Feature = Callable[[Sound, np.ndarray], np.ndarray]
CHROMA_HZ = (520.0, 5000.0)  # where mel bands are about a semitone apart


def mel(sound: Sound, latents: np.ndarray) -> np.ndarray:
    """Band amplitudes in dB [M, T]: timbre, register and level."""
    return smooth(sound.slow, STEP_SECONDS)


def latent(sound: Sound, latents: np.ndarray) -> np.ndarray:
    """The codec's latents [C, T]."""
    return smooth(latents, STEP_SECONDS)


def chroma(sound: Sound, latents: np.ndarray) -> np.ndarray:
    """[12, T] strengths of the pitch classes from C, the strongest of each frame 1, from mel bands of 520 Hz to 5 kHz.

    Lower bands are wider than a semitone; low notes contribute through their harmonics only.
    """
    centres = sound.centres_hz
    inside = (centres >= CHROMA_HZ[0]) & (centres <= CHROMA_HZ[1])
    pitch = 12 * np.log2(centres[inside] / 440) + 9  # semitones above C
    distance = (pitch[None] - np.arange(12)[:, None] + 6) % 12 - 6
    weights = np.exp(-0.5 * np.square(distance / 0.6))
    weights /= weights.sum(1, keepdims=True)
    folded = smooth(weights @ 10 ** (sound.slow[inside] / 20), STEP_SECONDS)
    return folded / folded.max(0).clip(1e-6)


FEATURES: dict[str, Feature] = {"mel": mel, "chroma": chroma, "latents": latent}
