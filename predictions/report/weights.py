"""The census in numbers and words: how much the weight can do, and its floor on white noise."""

import math
from dataclasses import dataclass

import pandas as pd

from predictions.report.pictures import Picture, census

MEANINGS = {
    "mean_w": ("mean weight w", "1 would be the full gradient, 0 none"),
    "mean_w_t_below_0.2": ("mean w at t < 0.2", "prediction 1 wants it near 1"),
    "mean_w_t_above_0.8": ("mean w at t > 0.8", "prediction 1 wants it damped"),
    "w_contrast_over_flat": ("w of contrast clips over flat ones", "1: the weight cannot tell them apart"),
    "coefficient_of_variation_w": ("coefficient of variation of w", "over clips and t together"),
    "factor_coefficient_of_variation": ("the same of the factor of Eq. 5", "what can act under AdamW"),
    "factor_coefficient_of_variation_at_one_t": ("the same between clips at one t", "without timestep weighting"),
    "share_of_w_variance_from_t": ("share of w's variance that is t", "near 1: a timestep weighting"),
    "share_of_w_variance_from_class": ("share that is the class at one t", "what a curriculum could act by"),
    "effective_sample_share": ("effective sample size, share", "what weighting by the factor leaves of the samples"),
}
LENGTHS, CHANNELS, VARIANCES = (108, 1292), (4, 64, 256), (0.5, 1.0, 1.5)
CURVES = ("w/", "w_", "weight_cv", "effective_sample_share")


@dataclass(frozen=True)
class Row:
    name: str
    value: float
    meaning: str


@dataclass(frozen=True)
class View:
    """What the census page shows. `floor` rows are (C, T, variance, gap, weight)."""

    rows: list[Row]
    pictures: list[Picture]
    sensitivity: Picture | None
    floor: list[tuple[float, ...]]
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
    """From the census, its summary, what was varied and, for other geometries, the weight metrics among outcomes."""
    variation = numbers["factor_coefficient_of_variation"]
    return View(
        rows=[Row(name, numbers[key], meaning) for key, (name, meaning) in MEANINGS.items() if key in numbers],
        pictures=[
            census.weight_by_t(table),
            census.class_ratio(table),
            census.spread_by_t(table),
            census.weight_against_energy(table),
        ],
        sensitivity=None if varied is None else census.sensitivity(varied),
        floor=[
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
    """Gap D = K / log T and weight of white noise, for many positions.

    The energy is Gamma with shape C/2 and scale theta = 2 variance / C, whose cumulant generating function at 1 gives
    K = (C/2) (theta / (1 - theta) + log(1 - theta)), about variance^2 / C. For theta >= 1 the mean of exp(energy) does
    not exist and the belief concentrates: gap and weight 1.
    """
    theta = 2 * variance / channels
    if theta >= 1:
        return 1.0, 1.0
    gap = min(1.0, channels / 2 * (theta / (1 - theta) + math.log1p(-theta)) / math.log(length))
    return gap, 1 / (1 - math.log(gap))


def geometries(outcomes: pd.DataFrame) -> list[dict]:
    """Means over seeds of the weight metrics of each regime's untrained-by-the-barrier arm, the baseline."""
    rows = outcomes[(outcomes["arm"] == "baseline") & outcomes["metric"].str.startswith(CURVES)]
    means = rows.groupby(["regime", "run", "metric"])["value"].agg(["mean", "size"]).reset_index()
    return [
        {"regime": row.regime, "run": row.run, "metric": row.metric, "value": row.mean, "seeds": row.size}
        for row in means.itertuples(index=False)
    ]
