"""Doses: how an outcome answers to the strength of the weighting, and what share of a full curriculum an arm is.

The dose of an arm is the spread of its factors, their standard deviation over their mean during training, with a minus
sign for an arm that favours what the others avoid. Arrays in, arrays out: S seeds, A arms; an effect is an arm's
outcome minus the baseline's of the same seed.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.95


@dataclass(frozen=True)
class Line:
    """The line effect = slope * dose through the origin, fitted to each seed, and what it leaves."""

    slope: float  # mean over seeds, in units of the outcome per unit of dose
    low: float  # interval of the slope over seeds
    high: float
    departure: np.ndarray  # [A] mean residual of each arm
    departure_low: np.ndarray  # [A]
    departure_high: np.ndarray  # [A]


@dataclass(frozen=True)
class Share:
    """An effect as a share of a full curriculum's; both ends are NaN where the data bound no share."""

    value: float
    low: float
    high: float


def dose(factors: np.ndarray) -> float:
    """The spread of an arm's factors [n]: their standard deviation over their mean. NaN where the mean is 0."""
    mean = factors.mean()
    return float(factors.std() / mean) if mean else float("nan")


def interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Student's 95 % interval of the mean over the first axis of [S, ...]; NaN for fewer than two seeds."""
    seeds = len(values)
    if seeds < 2:
        nothing = np.full(values.shape[1:], np.nan)
        return nothing, nothing
    reach = stats.t.ppf((1 + LEVEL) / 2, seeds - 1) * values.std(0, ddof=1) / np.sqrt(seeds)
    return values.mean(0) - reach, values.mean(0) + reach


def line(effects: np.ndarray, doses: np.ndarray) -> Line:
    """Fit `effects` [S, A] to `doses` [S, A], seed by seed, by least squares through the origin.

    The residuals of one seed share its fitted slope, so each arm's departure is an interval over seeds.
    Raises ValueError for other shapes and for a seed whose doses are all 0.
    """
    if effects.shape != doses.shape or effects.ndim != 2:
        raise ValueError(f"effects and doses must both be [seeds, arms]; got {effects.shape} and {doses.shape}")
    squares = np.square(doses).sum(1)
    if not (squares > 0).all():
        raise ValueError("a seed whose doses are all 0 has no line")
    slopes = (effects * doses).sum(1) / squares
    residual = effects - slopes[:, None] * doses
    low, high = interval(slopes)
    return Line(float(slopes.mean()), float(low), float(high), residual.mean(0), *interval(residual))


def full_curriculum(forth: np.ndarray, back: np.ndarray) -> np.ndarray:
    """[S] half the difference of the outcomes [S] of `class` and of `class_reversed`."""
    return (forth - back) / 2


def share(effect: np.ndarray, whole: np.ndarray) -> Share:
    """The mean of `effect` [S] as a share of the mean of `whole` [S], with Fieller's 95 % interval for pairs.

    The interval holds every share r for which the mean of effect - r * whole may be 0. It is bounded where the mean of
    `whole` differs from 0 at the same level; where it does not, or with fewer than two seeds, both ends are NaN.
    """
    seeds = len(effect)
    top, bottom = effect.mean(), whole.mean()
    value = float(top / bottom) if bottom else float("nan")
    if seeds < 2:
        return Share(value, float("nan"), float("nan"))
    covariance = np.cov(effect, whole) / seeds * stats.t.ppf((1 + LEVEL) / 2, seeds - 1) ** 2
    square, linear = bottom**2 - covariance[1, 1], top * bottom - covariance[0, 1]
    if square <= 0:
        return Share(value, float("nan"), float("nan"))
    reach = np.sqrt(max(linear**2 - square * (top**2 - covariance[0, 0]), 0))
    return Share(value, float((linear - reach) / square), float((linear + reach) / square))
