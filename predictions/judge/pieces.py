"""Weights of a given model: statistics of a grid of clips and t, and their bootstrap over pieces.

Training seeds share the held-out clips, and several clips are cut from one piece, so neither is a sample of music. The
pieces are resampled. A resample is a vector of multiplicities, and every statistic takes all resamples at once.

Shapes: R resamples, N clips, T times. `counts` [R, N] says how often each clip is drawn.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from eisbach.seeds import numpy_generator

LOW, HIGH = 0.2, 0.8  # "low t" is below the first, "high t" above the second
LEAST_CLIPS = 3  # of a class: fewer have no rank correlation
CHUNK = 250  # resamples at once: a rank correlation compares all pairs of clips


@dataclass(frozen=True)
class Grid:
    """The weights of one model: arrays [T, N], times [T], and the class and piece of every clip [N]."""

    w: np.ndarray
    entropy: np.ndarray
    loss: np.ndarray
    times: np.ndarray
    classes: np.ndarray
    pieces: np.ndarray


def grid(census: pd.DataFrame, pieces: pd.Series) -> Grid:
    """The grid of a census; `pieces` maps clip_id to the piece. Raises ValueError where a clip lacks a t or a piece."""
    wide = census.pivot(index="t", columns="clip_id", values=["w", "entropy", "loss"])
    if wide.isna().any(axis=None):
        raise ValueError("the census does not have every clip at every t")
    clips = wide["w"].columns
    if missing := sorted(set(clips) - set(pieces.index)):
        raise ValueError(f"clip {missing[0]} of the census is not in the manifest")
    classes = census.drop_duplicates("clip_id").set_index("clip_id")["contrast_class"]
    arrays = (wide[name].to_numpy() for name in ("w", "entropy", "loss"))
    return Grid(*arrays, wide.index.to_numpy(), classes.loc[clips].to_numpy(), pieces.loc[clips].to_numpy())


def resampled(pieces: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """[count, N]: how often each clip is drawn when the pieces are drawn with replacement."""
    _, index = np.unique(pieces, return_inverse=True)
    number = index.max() + 1
    draw = numpy_generator(seed, "bootstrap over pieces").multinomial(number, np.full(number, 1 / number), count)
    return draw[:, index].astype(float)


def ratio(of: Grid, counts: np.ndarray, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """[R] the mean w of contrast clips over that of flat clips, at t from `low` to below `high`."""
    within = of.w[(of.times >= low) & (of.times < high)].mean(0)
    contrast, flat = (counts * (of.classes == name) for name in ("contrast", "flat"))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (contrast @ within / contrast.sum(1)) / (flat @ within / flat.sum(1))


def mean_w(of: Grid, counts: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """[R] the mean w over the times `chosen` [T]."""
    return counts @ of.w[chosen].mean(0) / counts.sum(1)


def rho(of: Grid, counts: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """[R] Spearman's correlation of entropy and loss within each class and t, averaged with the numbers of clips."""
    total, weight = np.zeros(len(counts)), np.zeros(len(counts))
    for name in np.unique(of.classes):
        own = of.classes == name
        if own.sum() < LEAST_CLIPS:
            continue
        size = counts[:, own].sum(1)
        found = weighted_spearman(of.entropy[chosen][:, own], of.loss[chosen][:, own], counts[:, own]).mean(1)
        usable = np.isfinite(found)
        total[usable] += size[usable] * found[usable]
        weight[usable] += size[usable]
    return np.divide(total, weight, out=np.full(len(counts), np.nan), where=weight > 0)


def weighted_spearman(one: np.ndarray, other: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """[R, T] Spearman's correlation of `one` and `other` [T, N] where clip i occurs `counts` [R, N] times.

    It equals the correlation of the replicated data, ties included; NaN where one of the two is constant.
    """
    x, y = (_ranks(values, counts) for values in (one, other))
    share = (counts / counts.sum(1, keepdims=True))[:, None]
    x, y = (values - (share * values).sum(2, keepdims=True) for values in (x, y))
    spread = np.sqrt((share * x**2).sum(2) * (share * y**2).sum(2))
    return np.divide((share * x * y).sum(2), spread, out=np.full(spread.shape, np.nan), where=spread > 0)


def _ranks(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """[R, T, N] mean ranks of `values` [T, N], each value being there `counts` [R, N] times."""
    below = (values[:, None] < values[..., None]) + 0.5 * (values[:, None] == values[..., None])  # [T, N, N]
    return np.einsum("rn,tin->rti", counts, below, optimize=True)


def tenth(part: str) -> tuple[float, float]:
    """`t0.3` -> (0.3, 0.4)."""
    start = round(float(part.removeprefix("t")), 1)
    return start, round(start + 0.1, 1)


def statistic(metric: str) -> Callable[[Grid, np.ndarray], np.ndarray]:
    """The statistic of a metric's name: (grid, counts) -> [R]. Raises KeyError for a metric that is no weight's."""
    if metric.startswith("w_ratio/contrast_flat/"):
        low, high = tenth(metric.rpartition("/")[2])
        return lambda of, counts: ratio(of, counts, low, high)
    return {
        "w_ratio/contrast_flat": ratio,
        "w/t<0.2": lambda of, counts: mean_w(of, counts, of.times < LOW),
        "w/t>0.8": lambda of, counts: mean_w(of, counts, of.times > HIGH),
        "entropy_loss_rho/t<0.2": lambda of, counts: rho(of, counts, of.times < LOW),
        "entropy_loss_rho/t>0.8": lambda of, counts: rho(of, counts, of.times > HIGH),
    }[metric]


def estimates(of: Grid, metric: str, count: int) -> tuple[float, np.ndarray]:
    """The statistic of the grid itself, and of `count` resamples of its pieces [count]."""
    found = statistic(metric)
    draws = resampled(of.pieces, count)
    parts = [found(of, part) for part in np.array_split(draws, -(-count // CHUNK))]
    return float(found(of, np.ones((1, len(of.pieces))))[0]), np.concatenate(parts)


def interval(draws: np.ndarray, level: float) -> tuple[float, float]:
    """The percentile interval at 1 - `level` of bootstrap draws [R]; infinite where more draws are undefined than that
    leaves room for."""
    defined = draws[np.isfinite(draws)]
    if len(draws) - len(defined) > level / 2 * len(draws):
        return -np.inf, np.inf
    low, high = np.quantile(defined, [level / 2, 1 - level / 2])
    return float(low), float(high)
