"""The page on the weight: its statistics on held-out clips, and the weight of white noise for comparison."""

import math
from dataclasses import dataclass

import pandas as pd

from predictions.report.pictures import Picture, weight_stats

MEANINGS = {
    "mean_w": ("mean weight w", "1 keeps the full gradient, 0 removes it"),
    "mean_w_t_below_0.2": ("mean w at t < 0.2", "prediction 1: near 1"),
    "mean_w_t_above_0.8": ("mean w at t > 0.8", "prediction 1: below 1"),
    "w_contrast_over_flat": ("mean w of contrast clips / of flat clips", "at 1 w does not separate the classes"),
    "coefficient_of_variation_w": ("coefficient of variation of w", "over all clips and t"),
    "factor_coefficient_of_variation": (
        "coefficient of variation of the factor (Eq. 5)",
        "under AdamW only this variation can act",
    ),
    "factor_coefficient_of_variation_at_one_t": (
        "coefficient of variation of the factor between clips at one t",
        "the part that is not timestep weighting",
    ),
    "share_of_w_variance_from_t": ("share of the variance of w that t explains", "near 1: w is a timestep weighting"),
    "share_of_w_variance_from_class": (
        "share of the variance of w that the class explains at one t",
        "the part by which a curriculum could act",
    ),
    "effective_sample_share": ("effective sample size as a share of the samples", "under weighting by the factor"),
}
LENGTHS, CHANNELS, VARIANCES = (108, 1292), (4, 64, 256), (0.5, 1.0, 1.5)
WEIGHT_METRICS = ("w/", "w_", "weight_cv", "effective_sample_share")  # how the names of these metrics begin


@dataclass(frozen=True)
class Row:
    """One line of the table of statistics."""

    name: str
    value: float
    meaning: str


@dataclass(frozen=True)
class View:
    """The content of census.html. `noise` has rows (C, T, variance, gap, weight) for white noise."""

    rows: list[Row]
    pictures: list[Picture]
    sensitivity: Picture | None
    noise: list[tuple[float, ...]]
    geometries: list[dict]
    lam: float
    mean_factor: float
    factor_cv: float
    effective: float  # of 1000 samples
    cv: float
    ratio: float


def view(
    table: pd.DataFrame, numbers: dict[str, float], lam: float, outcomes: pd.DataFrame, varied: pd.DataFrame | None
) -> View:
    """The page's content.

    `table` has one row per (clip, t) of the stage `census`, `numbers` is its summary, and `varied` is its table of the
    same outputs at other channels, positions and scales, None where it is missing. `lam` is Eq. 5's lambda. The weight
    metrics of other regimes come from `outcomes`.
    """
    variation = numbers["factor_coefficient_of_variation"]
    return View(
        rows=[Row(name, numbers[key], meaning) for key, (name, meaning) in MEANINGS.items() if key in numbers],
        pictures=[
            weight_stats.weight_by_t(table),
            weight_stats.class_ratio(table),
            weight_stats.spread_by_t(table),
            weight_stats.weight_against_energy(table),
        ],
        sensitivity=None if varied is None else weight_stats.sensitivity(varied),
        noise=[
            (channels, length, variance, *white_noise(channels, length, variance))
            for channels in CHANNELS
            for length in LENGTHS
            for variance in VARIANCES
        ],
        geometries=geometries(outcomes),
        lam=lam,
        mean_factor=float(table["factor"].mean()),
        factor_cv=variation,
        effective=1000 / (1 + variation**2),
        cv=numbers["coefficient_of_variation_w"],
        ratio=numbers["w_contrast_over_flat"],
    )


def white_noise(channels: int, length: int, variance: float) -> tuple[float, float]:
    """The gap D = K / log T and the weight of white noise in C channels, accurate for many positions T.

    The energy has a Gamma distribution with shape C/2 and scale theta = 2 variance / C. Its cumulant generating
    function at 1 gives K = (C/2) (theta / (1 - theta) + log(1 - theta)), about variance^2 / C. For theta >= 1 the mean
    of exp(energy) is infinite, so the belief concentrates on one position: gap and weight are 1.
    """
    theta = 2 * variance / channels
    if theta >= 1:
        return 1.0, 1.0
    gap = min(1.0, channels / 2 * (theta / (1 - theta) + math.log1p(-theta)) / math.log(length))
    return gap, 1 / (1 - math.log(gap))


def geometries(outcomes: pd.DataFrame) -> list[dict]:
    """The baseline's weight metrics by regime, run and metric: the mean over seeds and the number of seeds."""
    rows = outcomes[(outcomes["arm"] == "baseline") & outcomes["metric"].str.startswith(WEIGHT_METRICS)]
    means = rows.groupby(["regime", "run", "metric"])["value"].agg(["mean", "size"]).reset_index()
    return [
        {"regime": row.regime, "run": row.run, "metric": row.metric, "value": row.mean, "seeds": row.size}
        for row in means.itertuples(index=False)
    ]
