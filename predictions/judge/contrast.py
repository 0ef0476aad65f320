"""From a hypothesis and the outcomes of one regime and run to its evidence, before any correction."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from eisbach.arms import Arm
from predictions.judge import controls, evidence, statistics
from predictions.judge.evidence import Evidence
from predictions.judge.outcomes import Missing, Outcomes, paired
from predictions.judge.verdict import Margin, Sample
from predictions.registry.schema import (
    Bound,
    Difference,
    Equivalence,
    Exact,
    Interaction,
    Measured,
    Noninferiority,
    Statistical,
    Trend,
    subtracted,
)


@dataclass(frozen=True)
class Beyond:
    """Evidence that the arm's effect exceeds a control's, and the control's share of the arm's effect."""

    evidence: Evidence
    share: float | None  # None where the arm has no effect


@dataclass(frozen=True)
class Contrast:
    """What the table says about one hypothesis."""

    sample: Sample
    margin: Margin
    evidence: Evidence | None  # None for an exact statement, which is not tested
    controls: dict[str, Beyond | str]  # by arm; a string says why there is no evidence


def contrast(hypothesis: Measured, pattern: str, table: Outcomes, insensitive: str | None) -> Contrast:
    """Gather the evidence. `insensitive`: why an absence on this metric says nothing, None where it does.

    Raises Missing when the table lacks an arm, the metric or a second seed, and when a requirement is not met.
    """
    metric = hypothesis.metric_on(pattern)
    if not any(optimizer == hypothesis.optimizer for optimizer, _ in table.wide):
        raise Missing(f"the table has no rows of optimizer '{hypothesis.optimizer}'")
    wide = _wide(hypothesis, pattern, table)
    values = _values(hypothesis, wide)
    sample = Sample(
        seeds=tuple(map(int, wide.index)),
        values=tuple(map(float, values)),
        tables=table.tables[hypothesis.optimizer, metric],
    )
    if isinstance(hypothesis, Exact):
        return Contrast(sample, Margin(value=hypothesis.margin, rule="allowed for rounding"), None, {})
    _check_requirements(hypothesis, table)
    margin = _margin(hypothesis, metric, table)
    found = replace(_evidence(hypothesis, wide, values, margin.value), insensitive=insensitive)
    beyond = {}
    if isinstance(hypothesis, Difference):
        beyond = {
            str(arm): _beyond(hypothesis, metric, arm, table, margin.value, insensitive) for arm in hypothesis.controls
        }
    return Contrast(sample, margin, found, beyond)


def _wide(hypothesis: Measured, pattern: str, table: Outcomes) -> pd.DataFrame:
    """One column per term of the contrast, index seed: `arms`, and `against` with a minus sign before the name."""
    metric = hypothesis.metric_on(pattern)
    other = hypothesis.against_metric_on(pattern) if isinstance(hypothesis, Difference) else metric
    of_arms = {str(arm): table.values(arm, metric, hypothesis.optimizer) for arm in hypothesis.arms}
    against = {f"-{arm}": table.values(arm, other, hypothesis.optimizer) for arm in subtracted(hypothesis)}
    wide = paired(of_arms | against)
    if len(wide) < 2 and not isinstance(hypothesis, Exact):
        raise Missing("a single seed has no spread to judge an effect by")
    return wide


def _values(hypothesis: Measured, wide: pd.DataFrame) -> np.ndarray:
    """Mean over `arms` minus mean over `against`, `[n]`; twice that for the interaction of a 2x2 design."""
    values = wide[[str(arm) for arm in hypothesis.arms]].mean(axis=1)
    if against := subtracted(hypothesis):
        values = values - wide[[f"-{arm}" for arm in against]].mean(axis=1)
    return (2 * values if isinstance(hypothesis, Interaction) else values).to_numpy()


def _margin(hypothesis: Statistical, metric: str, table: Outcomes) -> Margin:
    if isinstance(hypothesis, Bound):
        return Margin(value=0.0, rule="the bound is itself the margin")
    if hypothesis.margin is not None:
        return Margin(value=hypothesis.margin, rule="registered number")
    return Margin(
        value=controls.smallest_effect(table, metric, hypothesis.optimizer),
        rule="larger of half a baseline-seed standard deviation and a quarter of the oracle's effect",
    )


def _check_requirements(hypothesis: Statistical, table: Outcomes) -> None:
    """Raises Missing unless every arm in the comparison is shown to meet what the statement presupposes."""
    if not isinstance(hypothesis, Difference | Equivalence | Noninferiority):
        return
    for metric, limit in hypothesis.requires.items():
        for arm in (*hypothesis.arms, *hypothesis.against):
            values = table.values(arm, metric, hypothesis.optimizer).to_numpy()
            p = float(statistics.sign_flip_p(values, limit, "less"))
            if not p < statistics.ALPHA:
                found = f"mean {values.mean():.3g}, p = {p:.3g}"
                raise Missing(f"{metric} of {arm} is not shown to lie below {limit:g} ({found})")


def _evidence(hypothesis: Statistical, wide: pd.DataFrame, values: np.ndarray, margin: float) -> Evidence:
    if isinstance(hypothesis, Trend):
        levels = np.array([arm.lam for arm in hypothesis.arms])
        return evidence.trend(levels, wide[[str(arm) for arm in hypothesis.arms]].to_numpy(), margin, seed=0)
    if isinstance(hypothesis, Equivalence):
        return evidence.equivalence(values, margin)
    if isinstance(hypothesis, Noninferiority):
        return evidence.noninferiority(values, margin, hypothesis.sign)
    return evidence.effect(values, margin, hypothesis.bound if isinstance(hypothesis, Bound) else 0.0)


def _beyond(
    hypothesis: Difference, metric: str, control: Arm, table: Outcomes, margin: float, insensitive: str | None
) -> Beyond | str:
    """The arm's effect minus the control's, or why there is no evidence."""
    arms, against = [list(map(str, of)) for of in (hypothesis.arms, hypothesis.against)]
    try:
        every = (*hypothesis.arms, *hypothesis.against, control)
        wide = paired({str(arm): table.values(arm, metric, hypothesis.optimizer) for arm in every})
    except Missing as missing:
        return str(missing)
    reference = wide[against].mean(axis=1)
    own, of_control = wide[arms].mean(axis=1) - reference, wide[str(control)] - reference
    share = float(of_control.mean() / own.mean()) if own.mean() else None
    return Beyond(replace(evidence.effect((own - of_control).to_numpy(), margin), insensitive=insensitive), share)
