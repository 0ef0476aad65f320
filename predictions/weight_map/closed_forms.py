"""Closed forms of the weight in plain Python. Each function states its formula, its range of validity and its error.

Symbols: C channels, T positions, e energy (Eq. 1), v the squared coefficient of variation of the energy's expected
value over positions, K = KL(belief || uniform), D = 1 - B = K / log T (Eq. 3), w weight (Eq. 4), m factor (Eq. 5).
`predictions.proofs.weight_map` derives the formulas; the ranges were found by the search in
`predictions.weight_map.limits` (docs/weight_map.md).
"""

import math


def weight_of_gap(gap: float) -> float:
    """Eq. 4: w = 1 / (1 - log D) for D in [0, 1]; exact. Raises ValueError outside."""
    if not 0 <= gap <= 1:
        raise ValueError(f"the gap 1 - B must lie in [0, 1]; got {gap}")
    return 1 / (1 - math.log(gap)) if gap else 0.0


def second_order_gap(mean_energy: float, variation: float, channels: float, length: int) -> float:
    """D = (mean e)^2 ((1 + v)(1 + 2/C) - 1) / (2 log T), at most 1: K to second order in e, for C Gaussian channels.

    `mean_energy` > 0, `variation` v >= 0, `channels` C > 0, `length` T >= 2. Its floor at v = 0 is (mean e)^2 / (C log
    T). One sample's error lies within `second_order_error`.

    Mean over samples of unit rms with log-normal energy, AR(1) with .9 a step: the error of w is at most .02 up to a
    standard deviation of log e of .55 (C 64, T 108), .6 (256, 108) and .4 (256, 1292); at rms 2 only up to .1, .3 and
    .15. Beyond, w is too small, because higher cumulants count. Where the energy correlates over much of the sample
    (.97 a step at T 108), w is too large from .4 on: a sample then has only a part of v.
    """
    if mean_energy < 0 or variation < 0 or channels <= 0 or length < 2:
        raise ValueError(
            "second_order_gap needs mean_energy >= 0, variation >= 0, channels > 0 and length >= 2; got "
            f"{mean_energy}, {variation}, {channels}, {length}"
        )
    variance = mean_energy**2 * ((1 + variation) * (1 + 2 / channels) - 1)
    return min(1.0, variance / (2 * math.log(length)))


def second_order_error(energy_range: float) -> tuple[float, float]:
    """Bounds of K / (Var e / 2) for one sample, given R = max e - min e >= 0; rigorous for every energy.

    Lower 2 (1 - e^-R (1 + R)) / R^2, upper 2 (1 + e^R (R - 1)) / R^2; both are 1 at R = 0.
    """
    r = energy_range
    if r < 0.01:  # the formulas cancel; the next terms of these series, R^4 / 72, are below 2e-10
        return 1 - 2 * r / 3 + r**2 / 4 - r**3 / 15, 1 + 2 * r / 3 + r**2 / 4 + r**3 / 15
    if r > 700:
        return 2 * (1 - math.exp(-r) * (1 + r)) / r**2, math.inf
    return 2 * (1 - math.exp(-r) * (1 + r)) / r**2, 2 * (1 + math.exp(r) * (r - 1)) / r**2


def clean_weight(mean_energy: float, variation: float, channels: float, length: int) -> float:
    """w(0), the weight at t = 0: Eq. 4 of `second_order_gap`, because the ideal output there is -x0.

    Valid for data with a density. On a manifold the noise across it remains in the output, n_perp - x0, and adds to the
    energy. Range and error: those of `second_order_gap`.
    """
    return weight_of_gap(second_order_gap(mean_energy, variation, channels, length))


def white_noise_gap(channels: float, length: int, variance: float = 1.0) -> float:
    """The gap D of white noise in C channels, for many positions T.

    The energy has a Gamma distribution with shape C/2 and scale theta = 2 variance / C. Its cumulant generating
    function at 1 gives K = (C/2) (theta / (1 - theta) + log(1 - theta)), about variance^2 / C. For theta >= 1 the mean
    of exp(energy) is infinite, so the belief concentrates on one position: the gap is 1. Within 3 % of the mean over
    samples for T = 4000 and C >= 16 (variance up to 2 at C = 64).
    """
    theta = 2 * variance / channels
    if theta >= 1:
        return 1.0
    return min(1.0, channels / 2 * (theta / (1 - theta) + math.log1p(-theta)) / math.log(length))


def noise_weight(channels: float, length: int) -> float:
    """w(1) = 1 / (1 + log(C log T)): the weight at t = 1 of unit noise to second order, where D = 1 / (C log T).

    Holds up to the mean of the data given the condition, which the ideal output subtracts from the noise. Simulated
    weights differ by less than .01 for C >= 16 and T >= 27.
    """
    return 1 / (1 + math.log(channels * math.log(length)))


def factor(weight: float, lam: float) -> float:
    """Eq. 5: m = (1 - lambda) + lambda w; exact."""
    return (1 - lam) + lam * weight


def elasticity(weight: float, lam: float) -> float:
    """d log m / d log D = lambda w^2 / m, in [0, 1]; exact. A gap 1 % larger makes the factor this many % larger."""
    return lam * weight**2 / factor(weight, lam) if weight else 0.0


def factor_spread(weight: float, lam: float, gap_deviation: float) -> float:
    """Coefficient of variation of the factor, elasticity times the standard deviation of log D between samples.

    First order in the deviation: within 25 % of the simulated spread up to a standard deviation of log energy of .35 in
    every case of the table of limits (rms .5 to 2, lambda .5). Beyond, it is too small where the weights have a long
    upper tail.
    """
    return elasticity(weight, lam) * gap_deviation


def largest_ratio(lam: float) -> float:
    """The bound 1 / (1 - lambda) on the ratio of any two factors; infinite at lambda = 1. Approached, never reached."""
    return 1 / (1 - lam) if lam < 1 else math.inf


def effective_share(spread: float) -> float:
    """Kish's effective sample size as a share of the samples, 1 / (1 + cv^2); exact for the population's cv."""
    return 1 / (1 + spread**2)


def curriculum_share(spread: float, correlation: float, full_spread: float) -> float:
    """What share of a full curriculum a near-constant factor does, by linear response: spread * correlation / full.

    `spread` is the factor's coefficient of variation, `correlation` its correlation with the full curriculum's factor,
    `full_spread` that factor's coefficient of variation. First order in the factor's deviation from its mean; AdamW
    ignores the mean (`predictions.proofs.weight_map.linear_response`). The projection omits the part of the factor that
    is uncorrelated with the curriculum, which does something else. The range must be measured by doses.
    """
    if full_spread <= 0:
        raise ValueError(f"the full curriculum's spread must be positive; got {full_spread}")
    return spread * correlation / full_spread
