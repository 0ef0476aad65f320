"""Text-audio alignment without CLAP: a ridge regression from audio embeddings to sentence embeddings of captions.

The regression ("probe") is fitted on real clips of the corpus. Its score says whether a sample and its caption go
together as they do in this corpus, not whether a listener would agree. Held-out real clips show the score to expect.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler


@dataclass(frozen=True)
class Probe:
    """A fitted regression from audio embeddings [N, D] to centred sentence embeddings [N, E]."""

    regression: Pipeline
    centre: np.ndarray  # [E] mean sentence embedding of the training captions


def fit(audio: np.ndarray, captions: np.ndarray) -> Probe:
    """Fit a probe to the audio embeddings [N, D] and sentence embeddings [N, E] of training clips.

    Cross-validation chooses the penalty out of 11 values between 1 and 1e5.
    """
    centre = captions.mean(0)
    regression = make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 5, 11)))
    return Probe(regression.fit(audio, captions - centre), centre)


def scores(probe: Probe, audio: np.ndarray, captions: np.ndarray) -> tuple[float, float]:
    """(matched, mismatched) mean cosines of the probe's predictions for `audio` [N, D] with `captions` [N, E]."""
    predicted = _unit(probe.regression.predict(audio))
    cosines = predicted @ _unit(captions - probe.centre).T
    return paired_scores(cosines, captions)


def paired_scores(cosines: np.ndarray, captions: np.ndarray) -> tuple[float, float]:
    """(matched, mismatched) means of `cosines` [N, N]: of the diagonal, and of pairs with different captions.

    The mismatched mean is NaN when all captions [N, E] are equal.
    """
    other = ~(captions[:, None] == captions[None]).all(2)
    return float(np.diagonal(cosines).mean()), float(cosines[other].mean()) if other.any() else float("nan")


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-12)
