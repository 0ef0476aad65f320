"""Text and sound without CLAP: a ridge regression from sound embeddings to sentence embeddings, fitted on real clips.

It says whether a sample sounds as this corpus's captions would have it, not whether a listener would agree. The
ceiling is what held-out real clips reach.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler


@dataclass(frozen=True)
class Probe:
    regression: Pipeline
    centre: np.ndarray  # [E] mean sentence embedding of the training captions


def fit(sounds: np.ndarray, captions: np.ndarray) -> Probe:
    """Sound embeddings [N, D] and sentence embeddings [N, E] of training clips; the penalty by cross-validation."""
    centre = captions.mean(0)
    regression = make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 5, 11)))
    return Probe(regression.fit(sounds, captions - centre), centre)


def scores(probe: Probe, sounds: np.ndarray, captions: np.ndarray) -> tuple[float, float]:
    """(matched, mismatched) mean cosines between what the probe hears in [N, D] and the captions [N, E]."""
    heard = _unit(probe.regression.predict(sounds))
    cosines = heard @ _unit(captions - probe.centre).T
    return paired_scores(cosines, captions)


def paired_scores(cosines: np.ndarray, captions: np.ndarray) -> tuple[float, float]:
    """Means of [N, N] over the diagonal and over pairs whose captions differ; the latter is NaN where none do."""
    other = ~(captions[:, None] == captions[None]).all(2)
    return float(np.diagonal(cosines).mean()), float(cosines[other].mean()) if other.any() else float("nan")


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-12)
