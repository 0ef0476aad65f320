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


def vendi_gap(grouped: np.ndarray, real: np.ndarray) -> float:
    """Distance of the Vendi score of samples to that of as many real clips: which diversity is right.

    Vectors `[P, N, D]` of N samples of P prompts and `[R, D]`. A set has one sample of each prompt, as of real clips no
    two have the same; means over the N sets and over the sets of P that the real clips make. NaN for R < P.
    """
    sets = real[: len(real) // len(grouped) * len(grouped)].reshape(-1, len(grouped), real.shape[1])
    if not len(sets):
        return float("nan")
    made, wanted = (np.mean([vendi(cosine_kernel(one)) for one in of]) for of in (grouped.swapaxes(0, 1), sets))
    return float(abs(made - wanted))


def mean_distance(vectors: np.ndarray) -> float:
    """Mean Euclidean distance of two of the vectors [N, D]; one vector: 0."""
    return float(pdist(vectors).mean()) if len(vectors) > 1 else 0.0


def within_and_between(vectors: np.ndarray) -> tuple[float, float]:
    """Mean distances of vectors [P, N, D]: of two samples of one prompt, and of the prompts' means."""
    return float(np.mean([mean_distance(group) for group in vectors])), mean_distance(vectors.mean(1))
