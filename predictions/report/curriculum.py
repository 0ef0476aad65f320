"""The table of doses: what each arm's weighting did to an outcome, and what share of a full curriculum that is."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from eisbach.pipeline.params import Finetune
from predictions import doses
from predictions.report.pictures import Picture
from predictions.report.pictures import doses as picture
from predictions.report.theme import metric_name

BASELINE, FORTH, BACK = "baseline", "class", "class_reversed"
CONTROLS = ("baseline", "constant", "trace", "timestep", "shuffled", "inverse")  # weightings that are no dose
OUTCOMES = ("loss_slope/log_w0", "loss_slope/label", "dynamic_range_db", "sample_distance_db/baseline")
UNSIGNED = ("sample_distance_db/baseline",)  # a distance has no direction: nor has the dose of `class_reversed`


@dataclass(frozen=True)
class Row:
    """One arm's effect on one outcome; intervals are Student's or Fieller's 95 %, NaN where there is none."""

    outcome: str
    name: str  # of the outcome, in words
    arm: str
    dose: float
    effect: float
    low: float
    high: float
    departure: float  # from the line through all arms, which passes through the origin
    departure_low: float
    departure_high: float
    share: doses.Share | None  # of a full curriculum; None where a class arm did not run
    seeds: int


@dataclass(frozen=True)
class View:
    rows: list[Row]
    picture: Picture


@dataclass(frozen=True)
class Fit:
    """The effects [seeds, arms] on one outcome, the signed doses behind them, and the line through both."""

    effects: pd.DataFrame
    doses: np.ndarray
    line: doses.Line


def view(outcomes: pd.DataFrame, telemetry: pd.DataFrame, settings: Finetune) -> View | None:
    """The doses of the arms in `settings`; None where `fits` has none."""
    found = fits(outcomes, telemetry, settings)
    rows = [row for outcome, fit in found.items() for row in _rows(outcome, fit)]
    return View(rows, picture.answers(rows, {outcome: fit.line for outcome, fit in found.items()})) if rows else None


def fits(outcomes: pd.DataFrame, telemetry: pd.DataFrame, settings: Finetune) -> dict[str, Fit]:
    """Outcome -> how it answers to the arms in `settings`, from their `outcomes` and the `factor` of `telemetry`.

    Empty where no arm but the baseline and its controls ran, or no outcome was measured.
    """
    arms = [name for name, arm in settings.arms.items() if arm.weighting not in CONTROLS]
    if "factor" not in telemetry or BASELINE not in settings.arms:
        return {}
    spread = telemetry.groupby(["seed", "arm"])["factor"].agg(lambda one: doses.dose(one.to_numpy())).unstack()
    found = {}
    for outcome in OUTCOMES:
        values = outcomes[outcomes["metric"] == outcome].pivot_table(index="seed", columns="arm", values="value")
        shown = [arm for arm in arms if arm in values and arm in spread]
        if not shown or BASELINE not in values:
            continue
        values = values[[BASELINE, *shown]].dropna()
        given = spread.reindex(index=values.index, columns=shown).to_numpy()
        effects = values[shown].sub(values[BASELINE], axis=0)
        if len(values) and np.isfinite(given).all() and (given != 0).any(1).all():
            signed = given * [-1 if arm == BACK and outcome not in UNSIGNED else 1 for arm in shown]
            found[outcome] = Fit(effects, signed, doses.line(effects.to_numpy(), signed))
    return found


def _rows(outcome: str, fit: Fit) -> list[Row]:
    effects, fitted, whole = fit.effects, fit.line, None
    if {FORTH, BACK} <= set(effects):
        back = -effects[BACK] if outcome in UNSIGNED else effects[BACK]
        whole = doses.full_curriculum(effects[FORTH].to_numpy(), back.to_numpy())
    low, high = doses.interval(effects.to_numpy())
    return [
        Row(
            outcome,
            metric_name(outcome),
            arm,
            float(fit.doses[:, index].mean()),
            float(effects[arm].mean()),
            float(low[index]),
            float(high[index]),
            float(fitted.departure[index]),
            float(fitted.departure_low[index]),
            float(fitted.departure_high[index]),
            None if whole is None else doses.share(effects[arm].to_numpy(), whole),
            len(effects),
        )
        for index, arm in enumerate(effects)
    ]
