"""Distance of a set of samples from real clips, and coverage of the one by the other, from vectors.

Shapes: `samples` [N, D], `real` [R, D].
"""

import numpy as np
from scipy.spatial.distance import cdist, pdist
from sklearn.covariance import ledoit_wolf_shrinkage

from eisbach.seeds import numpy_generator

NEIGHBOURS = 5


def frechet(samples: np.ndarray, real: np.ndarray) -> float:
    """Frechet audio distance (Kilgour et al., 2019): |m - n|^2 + tr(S + R - 2 (S R)^1/2), with Ledoit-Wolf covariances.

    It is biased upwards at small N, so compare arms at equal N only. In the directions in which neither set varies,
    both shrunk covariances are multiples of the identity, and the trace has a closed form.
    """
    centred = [points - points.mean(0) for points in (samples, real)]
    basis = np.linalg.qr(np.concatenate(centred).T)[0]  # [D, min(D, N + R)]: the directions in which points vary
    size, inside = basis.shape
    covariances, outside = [], []  # in the basis; standard deviation in every other direction
    for points in centred:
        shrinkage = ledoit_wolf_shrinkage(points, assume_centered=True)
        spherical = shrinkage * np.square(points).mean()
        within = points @ basis
        covariances.append((1 - shrinkage) * within.T @ within / len(points) + spherical * np.eye(inside))
        outside.append(np.sqrt(spherical))
    gap = np.square(samples.mean(0) - real.mean(0)).sum() + (size - inside) * (outside[0] - outside[1]) ** 2
    return float(gap) + gaussian_frechet(np.zeros(inside), covariances[0], np.zeros(inside), covariances[1])


def gaussian_frechet(mean: np.ndarray, covariance: np.ndarray, other_mean: np.ndarray, other: np.ndarray) -> float:
    """Squared Frechet distance of two Gaussians with means [D] and covariances [D, D]."""
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    middle = np.sqrt(np.linalg.eigvalsh(root @ other @ root).clip(0)).sum()
    return float(np.square(mean - other_mean).sum() + np.trace(covariance) + np.trace(other) - 2 * middle)


def kernel_distance(samples: np.ndarray, real: np.ndarray) -> float:
    """Kernel audio distance (Chung et al., 2025): unbiased squared MMD. NaN for N < 2 or R < 2.

    The width of the Gaussian kernel is the median distance of two real clips.
    """
    return _mmd(_gaussian_kernel(samples, real), len(samples))


def kernel_distance_p(samples: np.ndarray, real: np.ndarray, draws: int = 200) -> float:
    """Permutation p-value of `kernel_distance`: (1 + number of permuted distances >= the observed one) / (1 + draws).

    NaN where the distance is NaN.
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
    """(density, coverage) of Naeem et al. (2020), with a ball around each real clip up to its k-th nearest neighbour.

    Density: mean number of balls that contain a sample, divided by k; 0 or more, may exceed 1. Coverage: share of the
    balls that contain at least one sample, 0..1.
    """
    radius = np.sort(cdist(real, real), axis=1)[:, min(k, len(real) - 1)]
    inside = cdist(real, samples) <= radius[:, None]  # [R, N]
    return float(inside.sum(0).mean() / k), float(inside.any(1).mean())


def recall(samples: np.ndarray, real: np.ndarray, k: int = NEIGHBOURS) -> float:
    """Recall of Kynkaanniemi et al. (2019): share of real clips inside the ball of any sample, 0..1.

    The ball of a sample reaches to its k-th nearest neighbour among the samples.
    """
    radius = np.sort(cdist(samples, samples), axis=1)[:, min(k, len(samples) - 1)]
    return float((cdist(samples, real) <= radius[:, None]).any(0).mean())


def memorisation(samples: np.ndarray, training: np.ndarray, heldout: np.ndarray) -> float:
    """Median distance of samples to their nearest training clip, divided by the same of held-out clips.

    `training` [R, D], `heldout` [H, D]. 0: the samples are copies of training clips. Near 1: no closer than real clips.
    """
    nearest = [np.median(cdist(points, training).min(1)) for points in (samples, heldout)]
    return float(nearest[0] / max(nearest[1], 1e-12))
