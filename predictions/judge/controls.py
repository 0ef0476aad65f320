"""The gate: before an arm is judged, the assay must see what is there and not see what is not.

`oracle`, which looks at the clean sample's contrast, must be detected on the regime's gate metric; `constant`, a
learning rate, must be equivalent to `baseline` under AdamW. Otherwise every verdict that hangs on the assay is "assay
failed": a missing effect of the barrier would say nothing. The gate speaks for its own metric; on any other one a
missing effect counts only where the oracle has one there.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from predictions.judge import evidence as judgement
from predictions.judge import statistics
from predictions.judge.outcomes import Missing, paired, seed_values
from predictions.registry.schema import Arm

BASELINE, ORACLE, CONSTANT = Arm("baseline"), Arm("oracle", 0.5), Arm("constant", 0.5)


@dataclass(frozen=True)
class Gate:
    """What the assay showed on one regime and run; effects are differences from the baseline, None where missing."""

    metric: str
    passed: bool
    reason: str
    n: int = 0
    oracle_effect: float | None = None
    oracle_p: float | None = None
    constant_effect: float | None = None
    constant_p: float | None = None  # of equivalence
    margin: float | None = None


def gate(rows: pd.DataFrame, metric: str) -> Gate:
    """Judge the assay on the rows of one regime, run and optimiser; `metric` is one that `oracle` should lower.

    Two-sided sign-flip for the oracle, TOST for the constant, both at 0.05: both must hold, so neither is corrected.
    """
    try:
        values = paired({arm.name: seed_values(rows, arm, metric) for arm in (BASELINE, ORACLE, CONSTANT)})
    except Missing as missing:
        return Gate(metric, False, f"the assay cannot prove itself: {missing}")
    oracle, constant = (values[name].sub(values["baseline"]).to_numpy() for name in ("oracle", "constant"))
    if len(values) < 2:
        return Gate(metric, False, "the assay cannot prove itself with a single seed", len(values))
    margin = float(statistics.smallest_effect(values["baseline"].to_numpy(), oracle))
    oracle_p, constant_p = float(statistics.sign_flip_p(oracle)), float(statistics.tost_p(constant, margin))
    faults = []
    if not (oracle_p < statistics.ALPHA and oracle.mean() < 0):
        few = judgement.too_few(len(values))
        faults.append(f"the oracle's effect is not detected (p = {oracle_p:.3g}{few and '; ' + few})")
    if not constant_p < statistics.ALPHA:
        faults.append(f"the constant is not shown to equal the baseline (p = {constant_p:.3g})")
    numbers = (len(values), float(oracle.mean()), oracle_p, float(constant.mean()), constant_p, margin)
    return Gate(metric, not faults, " and ".join(faults) or "oracle detected, constant equals baseline", *numbers)


def smallest_effect(rows: pd.DataFrame, metric: str) -> float:
    """The smallest effect of interest of a metric, from its baseline and oracle rows. Raises Missing without them."""
    values = paired({arm.name: seed_values(rows, arm, metric) for arm in (BASELINE, ORACLE)})
    if len(values) < 2:
        raise Missing("a single seed has no spread, and so no smallest effect of interest")
    return float(
        statistics.smallest_effect(values["baseline"].to_numpy(), (values["oracle"] - values["baseline"]).to_numpy())
    )


def blind(rows: pd.DataFrame, metrics: Iterable[str]) -> dict[str, str]:
    """Why the absence of an effect would say nothing, by metric; empty where the oracle's, up or down, is detected.

    Holm's correction runs over the metrics: one blind metric in twenty would pass as seeing otherwise.
    """
    p, reasons = {}, {}
    for metric in sorted(set(metrics)):
        try:
            values = paired({arm.name: seed_values(rows, arm, metric) for arm in (BASELINE, ORACLE)})
            p[metric] = float(statistics.sign_flip_p((values["oracle"] - values["baseline"]).to_numpy()))
        except Missing as missing:
            reasons[metric] = f"the assay cannot show that it is sensitive on this metric: {missing}"
    corrected, _ = statistics.holm(np.array(list(p.values())), np.full(len(p), np.nan))
    for (metric, raw), of_family in zip(p.items(), corrected, strict=True):
        holm = f", {of_family:.3g} over {len(p)} metrics" if len(p) > 1 else ""
        fault = f"the assay is not sensitive on this metric: the oracle's effect is not detected (p = {raw:.3g}{holm})"
        reasons[metric] = "" if of_family < statistics.ALPHA else fault
    return reasons
