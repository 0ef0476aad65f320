"""The path [T, K] of a clip through the space of spectra, in a principal basis fitted on real clips."""

from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, ward
from scipy.spatial import ConvexHull, QhullError
from sklearn.metrics import silhouette_score

CLUSTERS = range(2, 6)
SECTIONS = 4


@dataclass(frozen=True)
class Basis:
    """Mean [D] and principal directions [K, D], in order of decreasing variance, of features of real clips."""

    mean: np.ndarray
    directions: np.ndarray

    def path(self, features: np.ndarray) -> np.ndarray:
        """Features [D, T] -> coordinates [T, K]."""
        return (features.T - self.mean) @ self.directions.T


def fit(features: list[np.ndarray], size: int) -> Basis:
    """Fit `size` principal directions to the frames of all clips; features [D, T] per clip."""
    frames = np.concatenate([np.asarray(clip, np.float64).T for clip in features])
    values, vectors = np.linalg.eigh(np.cov(frames, rowvar=False))
    return Basis(frames.mean(0), vectors[:, np.argsort(values)[::-1][:size]].T)


def area(path: np.ndarray) -> float:
    """Area of the convex hull of a path [T, K] in its first two coordinates; 0 on a line or for T < 3."""
    try:
        return float(ConvexHull(path[:, :2]).volume)  # qhull's name for the area in two dimensions
    except (QhullError, ValueError):
        return 0.0


def participation_ratio(path: np.ndarray) -> float:
    """Participation ratio of a path [T, K]: its effective number of dimensions, 1..K; 1 for a constant path.

    (trace C)^2 / trace C^2 of its covariance C (Gao et al., 2017).
    """
    centred = path - path.mean(0)
    covariance = centred.T @ centred
    trace = np.trace(covariance)
    return float(trace**2 / np.square(covariance).sum()) if trace > 1e-9 else 1.0


def cluster_separation(path: np.ndarray) -> float:
    """Largest silhouette (Rousseeuw, 1987) of two to five Ward clusters of the frames of a path [T, K], 0..1.

    0 for a constant path and for T < 6.
    """
    if len(path) < 6 or np.ptp(path, axis=0).max() < 1e-9:
        return 0.0
    tree, best = ward(path), 0.0
    for count in CLUSTERS:
        labels = fcluster(tree, count, "maxclust")
        if 1 < len(np.unique(labels)) < len(path):
            best = max(best, float(silhouette_score(path, labels)))
    return best


def section_differentiation(path: np.ndarray) -> float:
    """Share of the variance of a path [T, K] that is between its four quarters, 0..1.

    0 for a constant path and for T < 4.
    """
    if len(path) < SECTIONS:
        return 0.0
    centred = path - path.mean(0)
    total = np.square(centred).sum()
    parts = np.array_split(centred, SECTIONS)
    between = sum(len(part) * np.square(part.mean(0)).sum() for part in parts)
    return float(between / total) if total > 1e-9 else 0.0
