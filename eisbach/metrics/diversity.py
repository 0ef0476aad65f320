"""How different the samples of one set are from each other."""

import numpy as np
from scipy.spatial.distance import pdist


def cosine_kernel(vectors: np.ndarray) -> np.ndarray:
    """[N, D] -> [N, N] cosines; a zero vector is alike to itself alone."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(length > 0, length, 1)
    kernel = unit @ unit.T
    np.fill_diagonal(kernel, 1.0)
    return kernel


def vendi(kernel: np.ndarray) -> float:
    """Vendi score (Friedman and Dieng, 2023): exp of the entropy of the eigenvalues of K / N."""
    values = np.linalg.eigvalsh(kernel / len(kernel)).clip(0)
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def mean_distance(vectors: np.ndarray) -> float:
    """Mean Euclidean distance of two of the vectors [N, D]; one vector: 0."""
    return float(pdist(vectors).mean()) if len(vectors) > 1 else 0.0


def within_and_between(vectors: np.ndarray) -> tuple[float, float]:
    """Mean distances of vectors [P, N, D]: of two samples of one prompt, and of the prompts' means."""
    return float(np.mean([mean_distance(group) for group in vectors])), mean_distance(vectors.mean(1))
