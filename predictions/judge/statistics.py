"""Tests, intervals and margins for one number per seed. Arrays in, arrays out; every draw is seeded.

Shapes. `values` is `[..., n]`: n seeds on the last axis, paired differences or a quantity itself. Results have the
leading axes, so that thousands of simulated experiments go through the code that judges the real one.

Test and interval belong together. If `values` are symmetric about mu, flipping the signs of `values - mu` does not
change their distribution. A flipped sum reaches the observed one exactly where the mean of the flipped subset is at
most mu. So the share of all 2^n subsets whose mean is at most mu is the exact p, and quantiles of the subset means
("typical values", J. A. Hartigan, JASA 64, 1969) are the ends of the interval of all mu that are not rejected. Paired
differences of arms that are exchangeable under the null hypothesis are symmetric, however skewed each arm is.
"""

import warnings
from functools import lru_cache

import numpy as np
from scipy import optimize, stats

from eisbach.seeds import numpy_generator

EXACT = 16  # up to this many seeds all subsets are enumerated
ALPHA = 0.05
POWER = 0.8


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


def sign_flip_bound(values: np.ndarray, alpha: float) -> np.ndarray:
    """The lower confidence bound at one-sided level `alpha`, `[...]`: the smallest center that is not rejected.

    The test is `sign_flip_p` with alternative "greater". -inf where n seeds cannot reject any center at that level.
    """
    return _typical(values, alpha)[0]


def sign_flip_interval(values: np.ndarray, alpha: float = ALPHA) -> tuple[np.ndarray, np.ndarray]:
    """Low and high end, `[...]`, of the 1 - alpha interval that belongs to the two-sided sign-flip test."""
    return _typical(values, alpha / 2)


def _typical(values: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """The two subset means between which no center is rejected by either one-sided test at `alpha`."""
    values = np.asarray(values, np.float64)
    rank = _rank(alpha, values.shape[-1])
    if rank == 0:
        return np.full(values.shape[:-1], -np.inf), np.full(values.shape[:-1], np.inf)
    means = values @ _averages(values.shape[-1])
    means.partition((rank - 1, -rank), axis=-1)
    return means[..., rank - 1], means[..., -rank]


def _rank(alpha: float, n: int) -> int:
    """The rank of the typical value that is the bound at one-sided level `alpha`; 0 where n seeds have none."""
    return int(alpha * 2 ** min(n, EXACT) * (1 + 1e-12))


def bca_interval(values: np.ndarray, seed: int, alpha: float = ALPHA, resamples: int = 9999) -> tuple:
    """Ends of scipy's BCa bootstrap interval of the mean (Efron 1987), `[...]` each; the mean of equal values."""
    values = np.asarray(values, np.float64)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        found = stats.bootstrap(
            (values,),
            np.mean,
            axis=-1,
            confidence_level=1 - alpha,
            n_resamples=resamples,
            method="BCa",
            vectorized=True,
            rng=numpy_generator(seed, "bca"),
        ).confidence_interval
    constant = np.ptp(values, axis=-1) == 0  # no spread to resample: scipy returns NaN
    mean = values.mean(-1)
    return np.where(constant, mean, found.low), np.where(constant, mean, found.high)


def tost_p(values: np.ndarray, margin: float | np.ndarray) -> np.ndarray:
    """P of equivalence, `[...]`: the larger p of two one-sided sign-flip tests against -margin and +margin (TOST)."""
    margin = np.asarray(margin, np.float64)
    return np.maximum(sign_flip_p(values, -margin, "greater"), sign_flip_p(values, margin, "less"))


def noninferiority_p(values: np.ndarray, margin: float | np.ndarray) -> np.ndarray:
    """P of "not lower than -margin", `[...]`, for values of which larger ones are better."""
    return sign_flip_p(values, -np.asarray(margin, np.float64), "greater")


def holm(p: np.ndarray, against: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Holm's correction of the p values for m claims together with those against them: `[..., m]` each, in and out.

    Of a claim's two null hypotheses, "no effect" and "an effect as large as the margin", at most one is true. So at
    most m of 2m null hypotheses are true, and a step counts the claims of which not both are rejected yet: Holm's
    procedure with logical constraints (J. P. Shaffer, JASA 81, 1986). The probability of any false decision, for or
    against, is below the level under any dependence. NaN in `against` means no such test; if all are, plain Holm.
    """
    tests = np.stack([np.asarray(p, np.float64), np.asarray(against, np.float64)], axis=-2)  # [..., 2, m]
    claims = tests.shape[-1]
    flat = np.where(np.isnan(tests), -1, tests).reshape(*tests.shape[:-2], 2 * claims)
    order = np.argsort(flat, axis=-1, kind="stable")
    rejected = np.cumsum(order[..., None] % claims == np.arange(claims), axis=-2)  # after each step, per claim: 0, 1, 2
    before = np.concatenate([np.zeros_like(rejected[..., :1, :]), rejected[..., :-1, :]], axis=-2)
    open_claims = claims - (before == 2).sum(-1)
    steps = np.maximum.accumulate(np.take_along_axis(flat, order, -1) * open_claims, axis=-1)
    adjusted = np.empty_like(flat)
    np.put_along_axis(adjusted, order, np.minimum(1, steps), -1)
    adjusted = np.where(np.isnan(tests), np.nan, adjusted.reshape(tests.shape))
    return adjusted[..., 0, :], adjusted[..., 1, :]


def smallest_effect(baseline: np.ndarray, oracle: np.ndarray) -> np.ndarray:
    """Smallest effect of interest, `[...]`: the larger of half the baseline's deviation and |oracle effect| / 4.

    `baseline` `[..., n]`: its values; `oracle` `[..., n]`: the oracle's differences from them.
    """
    return np.maximum(np.std(baseline, axis=-1, ddof=1) / 2, np.abs(np.mean(oracle, axis=-1)) / 4)


@lru_cache
def _repeats(n: int) -> np.ndarray:
    """Lower bounds of experiments with mean 0, divided by the deviation of independent ones: `[repeats, ranks]`.

    Column k is the bound whose rank among the typical values is k + 1, up to that of a two-sided 5 %, so one simulation
    serves every level. The values are differences of two log-normal arms: symmetric, with tails so heavy that the
    deviation of a few seeds is usually too small. Four digits are enough: float32.
    """
    repeats = 20_000 if n <= 12 else 4_000
    rng = numpy_generator(0, "detectable effect", n)
    first, second = np.exp(rng.standard_normal((2, 2, repeats, n)))
    experiments, earlier = (first - second).astype(np.float32)
    averages, ranks = _averages(n).astype(np.float32), _rank(ALPHA / 2, n)
    low = [np.sort(np.partition(part @ averages, ranks)[:, :ranks]) for part in np.array_split(experiments, 200)]
    return np.concatenate(low) / earlier.std(axis=-1, ddof=1, keepdims=True)


def detectable_effect(n: int, deviation: float | np.ndarray, margin: float | np.ndarray, tests: int) -> np.ndarray:
    """Minimum detectable effect, `[...]`: one that a repeat would label "supported" with probability at least 0.8.

    The label requires p below 0.05 at Holm's first step among `tests`, and a 95 % interval beyond `margin`.
    `deviation` is the standard deviation of the n values; the simulation includes its uncertainty. The simulated
    distribution is the one of three (normal, Student's t with 3 degrees of freedom, differences of log-normal arms)
    that requires the largest effect: nine seeds cannot distinguish them, and where heavy-tailed values look normal
    their deviation is probably too small. inf where n seeds cannot give the label.
    """
    deviation, margin = np.asarray(deviation, np.float64)[..., None], np.asarray(margin, np.float64)[..., None]
    ranks = _rank(ALPHA / 2, n), _rank(ALPHA / 2 / tests, n)
    if 0 in ranks:
        return np.full(np.broadcast_shapes(deviation.shape, margin.shape)[:-1], np.inf)
    bounds, tighter = (_repeats(n)[:, rank - 1].astype(np.float64) for rank in ranks)
    return np.quantile(np.maximum(-deviation * tighter, margin - deviation * bounds), POWER, axis=-1)


def trend_change(levels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Change from the first to the last level along each seed's least-squares line: `[L]`, `[n, L]` -> `[n]`."""
    levels = np.asarray(levels, np.float64)
    centred = levels - levels.mean()
    return values @ centred / np.square(centred).sum() * (levels[-1] - levels[0])


def isotonic_p(values: np.ndarray, seed: int, draws: int = 4999) -> float:
    """P of a monotone rise over levels, `[n, L]`, by `draws` permutations of the levels within every seed.

    The statistic is the part of the level means' sum of squares that their isotonic fit explains (Bartholomew's
    order-restricted test, as a permutation test).
    """
    centred = values - values.mean(1, keepdims=True)
    rng = numpy_generator(seed, "isotonic", *values.shape)

    def explained(table: np.ndarray) -> float:
        return float(np.square(optimize.isotonic_regression(table.mean(0)).x).sum())

    observed = explained(centred)
    reached = sum(explained(rng.permuted(centred, axis=1)) >= observed * (1 - 1e-12) for _ in range(draws))
    return (1 + reached) / (1 + draws)
