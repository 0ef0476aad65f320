"""Diversity of a set of samples, from their vectors."""

import numpy as np
from scipy.spatial.distance import pdist


def cosine_kernel(vectors: np.ndarray) -> np.ndarray:
    """[N, D] -> cosines [N, N]. A zero vector has cosine 1 with itself and 0 with every other."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(length > 0, length, 1)
    kernel = unit @ unit.T
    np.fill_diagonal(kernel, 1.0)
    return kernel


def vendi(kernel: np.ndarray) -> float:
    """Vendi score (Friedman and Dieng, 2023) of a kernel K [N, N]: exp(entropy of the eigenvalues of K / N), 1..N."""
    values = np.linalg.eigvalsh(kernel / len(kernel)).clip(0)
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def vendi_gap(grouped: np.ndarray, real: np.ndarray) -> float:
    """Absolute difference of the mean Vendi scores of sample sets and of sets of real clips, all of size P.

    `grouped` [P, N, D] holds N samples for each of P prompts. It gives N sets with one sample per prompt, since no two
    real clips share a prompt. `real` [R, D] gives R // P sets. NaN for R < P.
    """
    real_sets = real[: len(real) // len(grouped) * len(grouped)].reshape(-1, len(grouped), real.shape[1])
    if not len(real_sets):
        return float("nan")
    sample_sets = grouped.swapaxes(0, 1)
    sampled, wanted = (np.mean([vendi(cosine_kernel(one)) for one in sets]) for sets in (sample_sets, real_sets))
    return float(abs(sampled - wanted))


def mean_distance(vectors: np.ndarray) -> float:
    """Mean Euclidean distance over all pairs of vectors [N, D]; 0 for N = 1."""
    return float(pdist(vectors).mean()) if len(vectors) > 1 else 0.0


def within_and_between(vectors: np.ndarray) -> tuple[float, float]:
    """(within, between) for vectors [P, N, D]: mean distance of samples of one prompt, and of the prompts' means."""
    return float(np.mean([mean_distance(group) for group in vectors])), mean_distance(vectors.mean(1))
