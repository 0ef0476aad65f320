"""How far a set of samples is from real clips: vectors [N, D] in, numbers out."""

import numpy as np
from scipy.spatial.distance import cdist, pdist
from sklearn.covariance import ledoit_wolf_shrinkage

from eisbach.seeds import numpy_generator

NEIGHBOURS = 5


def frechet(samples: np.ndarray, real: np.ndarray) -> float:
    """FAD (Kilgour et al., 2019): |m - n|^2 + tr(S + R - 2 (S R)^1/2) of two shrunk Gaussians (Ledoit-Wolf).

    Biased upwards at small N, for every arm alike: compare arms at equal N only. Away from the few directions in which
    either set varies, both covariances are multiples of the identity: the trace there is in closed form.
    """
    centred = [points - points.mean(0) for points in (samples, real)]
    basis = np.linalg.qr(np.concatenate(centred).T)[0]  # [D, at most as many as there are points]
    size, inside = basis.shape
    covariances, rest = [], []
    for points in centred:
        shrinkage = ledoit_wolf_shrinkage(points, assume_centered=True)
        spherical = shrinkage * np.square(points).mean()
        within = points @ basis
        covariances.append((1 - shrinkage) * within.T @ within / len(points) + spherical * np.eye(inside))
        rest.append(np.sqrt(spherical))
    gap = np.square(samples.mean(0) - real.mean(0)).sum() + (size - inside) * (rest[0] - rest[1]) ** 2
    return float(gap) + gaussian_frechet(np.zeros(inside), covariances[0], np.zeros(inside), covariances[1])


def gaussian_frechet(mean: np.ndarray, covariance: np.ndarray, other_mean: np.ndarray, other: np.ndarray) -> float:
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    middle = np.sqrt(np.linalg.eigvalsh(root @ other @ root).clip(0)).sum()
    return float(np.square(mean - other_mean).sum() + np.trace(covariance) + np.trace(other) - 2 * middle)


def kernel_distance(samples: np.ndarray, real: np.ndarray) -> float:
    """KAD (Chung et al., 2025): unbiased squared MMD, Gaussian kernel as wide as real clips' median distance."""
    return _mmd(_gaussian_kernel(samples, real), len(samples))


def kernel_distance_p(samples: np.ndarray, real: np.ndarray, draws: int = 200) -> float:
    """Share of `draws` permutations of the labels whose KAD is at least the one observed (both counted in).

    NaN where there is no KAD: for a single sample.
    """
    kernel, count = _gaussian_kernel(samples, real), len(samples)
    observed, generator = _mmd(kernel, count), numpy_generator(0, "kad permutations")
    if np.isnan(observed):
        return float("nan")
    orders = (generator.permutation(len(kernel)) for _ in range(draws))
    return float((1 + sum(_mmd(kernel[np.ix_(order, order)], count) >= observed for order in orders)) / (1 + draws))


def _gaussian_kernel(samples: np.ndarray, real: np.ndarray) -> np.ndarray:
    width = max(float(np.median(pdist(real))), 1e-12)
    points = np.concatenate([samples, real])
    return np.exp(-cdist(points, points, "sqeuclidean") / (2 * width**2))


def _mmd(kernel: np.ndarray, count: int) -> float:
    if min(count, len(kernel) - count) < 2:
        return float("nan")
    first, second, across = kernel[:count, :count], kernel[count:, count:], kernel[:count, count:]
    inner = [(block.sum() - np.trace(block)) / (len(block) * (len(block) - 1)) for block in (first, second)]
    return float(sum(inner) - 2 * across.mean())


def density_and_coverage(samples: np.ndarray, real: np.ndarray, k: int = NEIGHBOURS) -> tuple[float, float]:
    """Naeem et al. (2020): balls around real clips, as wide as their k-th neighbour.

    Density: mean number of balls that hold a sample, over k. Coverage: share of the balls that hold any.
    """
    radius = np.sort(cdist(real, real), axis=1)[:, min(k, len(real) - 1)]
    held = cdist(real, samples) <= radius[:, None]
    return float(held.sum(0).mean() / k), float(held.any(1).mean())


def recall(samples: np.ndarray, real: np.ndarray, k: int = NEIGHBOURS) -> float:
    """Kynkaanniemi et al. (2019): share of real clips inside a ball around a sample, as wide as its k-th neighbour."""
    radius = np.sort(cdist(samples, samples), axis=1)[:, min(k, len(samples) - 1)]
    return float((cdist(samples, real) <= radius[:, None]).any(0).mean())


def memorisation(samples: np.ndarray, training: np.ndarray, heldout: np.ndarray) -> float:
    """Median distance of samples to the nearest training clip, over that of held-out real clips; near 0: copies."""
    nearest = [np.median(cdist(points, training).min(1)) for points in (samples, heldout)]
    return float(nearest[0] / max(nearest[1], 1e-12))
