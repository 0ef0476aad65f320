"""The effect of a quantity: its mean, its intervals, and what about them gives a word."""

import numpy as np

from predictions.judge import statistics
from predictions.judge.outcomes import Missing
from predictions.judge.quantities import Quantity
from predictions.judge.verdict import Effect, Interval, Sample
from predictions.judge.words import Read


def ends(low: float, high: float) -> Interval:
    """An interval with None for an end that is unbounded or undefined."""
    return tuple(float(end) if np.isfinite(end) else None for end in (low, high))


def effect_of(quantity: Quantity, level: float, fewest: int) -> Effect:
    """The mean over seeds with its interval. Raises Missing with fewer seeds than `fewest`."""
    values = quantity.values.to_numpy()
    if len(values) < fewest:
        raise Missing(f"there are {len(values)} seeds, and at least {fewest} are needed")
    intervals = (ends(*statistics.sign_flip_interval(values, at)) for at in (level, statistics.ALPHA))
    return effect(float(values.mean()), *intervals)


def effect(mean: float, interval: Interval, interval_95: Interval) -> Effect:
    """The effect with the size that could have been seen: half the width of the deciding interval."""
    detectable = None if None in interval else (interval[1] - interval[0]) / 2
    return Effect(mean=mean, interval=interval, interval_95=interval_95, detectable=detectable)


def unbounded(found: Effect) -> tuple[float, float]:
    """The ends of the deciding interval as numbers, infinite where there is none."""
    low, high = found.interval
    return -np.inf if low is None else low, np.inf if high is None else high


def sample(quantity: Quantity) -> Sample:
    values = quantity.values
    means = {name: float(one.mean()) for name, one in quantity.members.items()}
    return Sample(
        blocks="seeds",
        n=len(values),
        seeds=tuple(map(int, values.index)),
        values=tuple(map(float, values)),
        members=means,
        agreeing=sum(np.sign(one) == np.sign(values.mean()) for one in means.values()),
        tables=quantity.tables,
    )


def reason_of(read: Read, found: Effect, margin: float | None) -> str:
    """What about the interval gives the word."""
    if read.word == "undecided":
        seen = "no effect of any size" if found.detectable is None else f"an effect of {found.detectable:.2g}"
        return f"{seen} could have been seen" + ("" if margin is not None else "; no margin is registered")
    beyond = f"the margin {margin:.2g}" if margin else "0"
    if read.word == "opposite":
        beyond_too = margin is not None and unbounded(found)[1] < -margin
        return f"the interval lies below {f'minus {beyond}' if beyond_too else '0'}" + (
            f" and above minus {beyond}" if read.below else ""
        )
    return {
        "holds": f"the interval lies above {beyond}",
        "present": "the interval lies above 0" + (f" and below {beyond}" if read.below else ""),
        "absent": f"the interval lies within {beyond}",
        "equal": f"the interval lies within {beyond}",
        "unequal": f"the interval lies outside {beyond}",
        "kept": f"the interval lies above minus {beyond}",
        "lost": f"the interval lies below minus {beyond}",
        "fails": "the interval lies below 0",
    }[read.word]
