"""The gate: before an arm is judged, the assay must detect an effect that exists and find none where none exists.

`oracle`, which looks at the clean sample's contrast, must be detected on the regime's gate metric. `constant`, which is
a change of learning rate, must be equivalent to `baseline` under AdamW. Otherwise every verdict that depends on the
assay is "assay failed", because a missing effect of the barrier would say nothing. The gate vouches for its own metric
only: on any other, a missing effect counts only where the oracle has one.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from eisbach.arms import Arm
from predictions.judge import statistics, words
from predictions.judge.outcomes import Missing, Outcomes, paired
from predictions.judge.verdict import ArmCheck, Gate

BASELINE, ORACLE, CONSTANT = Arm("baseline"), Arm("oracle", 0.5), Arm("constant", 0.5)


def gate(table: Outcomes, metric: str) -> Gate:
    """Judge the assay under AdamW on one regime and run; `metric` is one that `oracle` should lower.

    Two-sided sign-flip test for the oracle, TOST for the constant, both at 0.05. Both must hold, so neither is
    corrected.
    """
    try:
        values = _arms(table, metric, (BASELINE, ORACLE, CONSTANT))
    except Missing as missing:
        return Gate(metric=metric, passed=False, reason=f"the assay cannot prove itself: {missing}")
    n = len(values)
    if n < 2:
        return Gate(metric=metric, passed=False, reason="the assay cannot prove itself with a single seed", n=n)
    oracle, constant = (values[name].sub(values["baseline"]).to_numpy() for name in ("oracle", "constant"))
    margin = float(statistics.smallest_effect(values["baseline"].to_numpy(), oracle))
    detected = ArmCheck(effect=float(oracle.mean()), p=float(statistics.sign_flip_p(oracle)))
    equal = ArmCheck(effect=float(constant.mean()), p=float(statistics.tost_p(constant, margin)))
    faults = []
    if not (detected.p < statistics.ALPHA and detected.effect < 0):
        few = words.too_few(n)
        faults.append(f"the oracle's effect is not detected (p = {detected.p:.3g}{f'; {few}' if few else ''})")
    if not equal.p < statistics.ALPHA:
        faults.append(f"the constant is not shown to equal the baseline (p = {equal.p:.3g})")
    reason = " and ".join(faults) or "oracle detected, constant equals baseline"
    return Gate(metric=metric, passed=not faults, reason=reason, n=n, oracle=detected, constant=equal, margin=margin)


def smallest_effect(table: Outcomes, metric: str, optimizer: str) -> float:
    """The smallest effect of interest of a metric, from its baseline and oracle. Raises Missing without them."""
    values = _arms(table, metric, (BASELINE, ORACLE), optimizer)
    if len(values) < 2:
        raise Missing("a single seed has no spread, and so no smallest effect of interest")
    return float(
        statistics.smallest_effect(values["baseline"].to_numpy(), (values["oracle"] - values["baseline"]).to_numpy())
    )


def insensitive(table: Outcomes, metrics: Iterable[str], optimizer: str) -> dict[str, str | None]:
    """Metric -> why the absence of an effect says nothing; None where the oracle's effect, up or down, is detected.

    Holm's correction runs over the metrics: without it, one insensitive metric in twenty would pass as sensitive.
    """
    p, reasons = {}, {}
    for metric in sorted(set(metrics)):
        try:
            values = _arms(table, metric, (BASELINE, ORACLE), optimizer)
            p[metric] = float(statistics.sign_flip_p((values["oracle"] - values["baseline"]).to_numpy()))
        except Missing as missing:
            reasons[metric] = f"the assay cannot show that it is sensitive on this metric: {missing}"
    corrected, _ = statistics.holm(np.array(list(p.values())), np.full(len(p), np.nan))
    for (metric, raw), of_family in zip(p.items(), corrected, strict=True):
        holm = f", {of_family:.3g} over {len(p)} metrics" if len(p) > 1 else ""
        fault = f"the assay is not sensitive on this metric: the oracle's effect is not detected (p = {raw:.3g}{holm})"
        reasons[metric] = None if of_family < statistics.ALPHA else fault
    return reasons


def _arms(table: Outcomes, metric: str, arms: Iterable[Arm], optimizer: str = "adamw") -> pd.DataFrame:
    """The arms' values by name, paired by seed."""
    return paired({arm.name: table.values(arm, metric, optimizer) for arm in arms})
