"""The page on the weight: its statistics on held-out clips, and the weight of white noise for comparison."""

from dataclasses import dataclass

import pandas as pd

from predictions.report.pictures import Picture, weight_map, weight_stats
from predictions.weight_map.closed_forms import effective_share, weight_of_gap, white_noise_gap

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
    maps: list[Picture]
    noise: list[tuple[float, ...]]
    geometries: list[dict]
    lam: float
    mean_factor: float
    factor_cv: float
    effective: float  # of 1000 samples
    cv: float
    ratio: float


def view(
    table: pd.DataFrame, numbers: dict[str, float], lam: float, outcomes: pd.DataFrame, maps: dict[str, pd.DataFrame]
) -> View:
    """The page's content.

    `table` has one row per (clip, t) of the stage `census`, `numbers` is its summary. `lam` is Eq. 5's lambda. The
    weight metrics of other regimes come from `outcomes`. `maps` are the tables of the stage `weight_map` that exist.
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
        maps=weight_map.pictures(maps),
        noise=[
            (channels, length, variance, gap, weight_of_gap(gap))
            for channels in CHANNELS
            for length in LENGTHS
            for variance in VARIANCES
            for gap in [white_noise_gap(channels, length, variance)]
        ],
        geometries=geometries(outcomes),
        lam=lam,
        mean_factor=float(table["factor"].mean()),
        factor_cv=variation,
        effective=1000 * effective_share(variation),
        cv=numbers["coefficient_of_variation_w"],
        ratio=numbers["w_contrast_over_flat"],
    )


def geometries(outcomes: pd.DataFrame) -> list[dict]:
    """The baseline's weight metrics by regime, run and metric: the mean over seeds and the number of seeds."""
    rows = outcomes[(outcomes["arm"] == "baseline") & outcomes["metric"].str.startswith(WEIGHT_METRICS)]
    means = rows.groupby(["regime", "run", "metric"])["value"].agg(["mean", "size"]).reset_index()
    return [
        {"regime": row.regime, "run": row.run, "metric": row.metric, "value": row.mean, "seeds": row.size}
        for row in means.itertuples(index=False)
    ]
