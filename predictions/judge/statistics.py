"""Tests and intervals for one number per seed. Arrays in, arrays out; every draw is seeded.

Shapes. `values` is `[..., n]`: n seeds on the last axis, paired differences or a quantity itself. Results have the
leading axes, so that thousands of simulated experiments go through the code that judges the real one.

Test and interval belong together. If `values` are symmetric about mu, flipping the signs of `values - mu` does not
change their distribution. A flipped sum reaches the observed one exactly where the mean of the flipped subset is at
most mu. So the share of all 2^n subsets whose mean is at most mu is the exact p, and quantiles of the subset means
("typical values", J. A. Hartigan, JASA 64, 1969) are the ends of the interval of all mu that are not rejected. Paired
differences of arms that are exchangeable under the null hypothesis are symmetric, however skewed each arm is.
"""

from functools import lru_cache

import numpy as np

from eisbach.seeds import numpy_generator

EXACT = 16  # up to this many seeds all subsets are enumerated
ALPHA = 0.05


@lru_cache
def subsets(n: int) -> np.ndarray:
    """Non-empty subsets of n seeds as a 0/1 matrix `[n, 2^min(n, 16) - 1]`: all of them, or as many drawn at random.

    The empty subset, which stands for the observed signs, makes their number a power of two.
    """
    if n <= EXACT:
        codes = np.arange(1, 2**n)
        return (codes >> np.arange(n)[:, None] & 1).astype(np.float64)
    drawn = numpy_generator(0, "sign-flip subsets", n).random((n, 2**EXACT + 64)) < 0.5
    return drawn[:, drawn.any(0)][:, : 2**EXACT - 1].astype(np.float64)


@lru_cache
def _averages(n: int) -> np.ndarray:
    """The matrix that maps n values to the means of their `subsets`, `[n, ...]`."""
    return subsets(n) / subsets(n).sum(0)


def sign_flip_p(values: np.ndarray, center: float | np.ndarray = 0.0, alternative: str = "two-sided") -> np.ndarray:
    """P value of a sign-flip test of symmetry about `center`, `[...]`; `alternative`: "greater", "less", "two-sided".

    Never 0: the smallest value is 2^-n, or twice that when two-sided. Sums that differ from 0 by rounding count as
    ties. 1 where a value is not finite: every comparison with it is false, which would otherwise look like evidence.
    """
    moved = np.asarray(values, np.float64) - np.asarray(center, np.float64)[..., None]
    members = subsets(moved.shape[-1])
    with np.errstate(invalid="ignore"):
        sums = moved @ members
    tie = 1e-12 * np.abs(moved).sum(-1, keepdims=True)
    total = members.shape[1] + 1
    greater = (1 + (sums <= tie).sum(-1)) / total
    less = (1 + (sums >= -tie).sum(-1)) / total
    found = {"greater": greater, "less": less, "two-sided": np.minimum(1, 2 * np.minimum(greater, less))}[alternative]
    return np.where(np.isfinite(moved).all(-1), found, 1.0)


def least_p(n: int) -> float:
    """The smallest two-sided p that n seeds can give, however large the effect."""
    return 2.0 ** (1 - min(n, EXACT))


def sign_flip_interval(values: np.ndarray, alpha: float = ALPHA) -> tuple[np.ndarray, np.ndarray]:
    """Low and high end, `[...]`, of the 1 - alpha interval that belongs to the two-sided sign-flip test."""
    values = np.asarray(values, np.float64)
    rank = _rank(alpha / 2, values.shape[-1])
    if rank == 0:
        return np.full(values.shape[:-1], -np.inf), np.full(values.shape[:-1], np.inf)
    means = values @ _averages(values.shape[-1])
    means.partition((rank - 1, -rank), axis=-1)
    return means[..., rank - 1], means[..., -rank]


def _rank(alpha: float, n: int) -> int:
    """The rank of the typical value that is the bound at one-sided level `alpha`; 0 where n seeds have none."""
    return int(alpha * 2 ** min(n, EXACT) * (1 + 1e-12))
