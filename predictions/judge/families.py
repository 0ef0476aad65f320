"""Holm's correction within each family, and the verdicts that follow from it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from predictions.judge import statistics, words
from predictions.judge.contrast import Beyond, Contrast
from predictions.judge.evidence import Evidence
from predictions.judge.verdict import (
    INCONCLUSIVE,
    NOT_TESTED,
    SUPPORTED,
    Comparison,
    Control,
    Estimate,
    Interval,
    Label,
    Mechanism,
    SignificanceTest,
)
from predictions.registry.schema import Equivalence, Noninferiority, Statistical


@dataclass(frozen=True)
class Decision:
    """The parts of a verdict that depend on the rest of its family."""

    label: Label
    reason: str
    estimate: Estimate
    test: SignificanceTest
    mechanism: Mechanism | None


def decide(contrasts: Iterable[tuple[Statistical, Contrast]]) -> dict[str, Decision]:
    """By id, one decision for each hypothesis of one regime and run."""
    families = defaultdict(list)
    for hypothesis, contrast in contrasts:
        families[hypothesis.family].append((hypothesis, contrast))
    return {
        hypothesis.id: _decision(hypothesis, contrast, *corrected, controls)
        for members in families.values()
        for (hypothesis, contrast), corrected, controls in zip(
            members, _corrected([contrast.evidence for _, contrast in members]), _controls(members), strict=True
        )
    }


def _corrected(evidence: Sequence[Evidence]) -> list[tuple[float, float | None, int]]:
    """Corrected p and p_against of every member of a family, and the family's size."""
    tests = np.array([one.counted for one in evidence], dtype=float).reshape(-1, 2)  # None becomes NaN: no such test
    return [(float(p), finite(against), len(evidence)) for p, against in zip(*statistics.holm(*tests.T), strict=True)]


def _controls(members: Sequence[tuple[Statistical, Contrast]]) -> list[tuple[Control, ...]]:
    """The controls of every member; their tests are a family of their own."""
    tests = [one.evidence for _, contrast in members for one in contrast.controls.values() if isinstance(one, Beyond)]
    corrected = iter(_corrected(tests))
    return [
        tuple(
            Control(arm=arm, label=NOT_TESTED, reason=beyond)
            if isinstance(beyond, str)
            else _control(arm, beyond, hypothesis.sign, *next(corrected))
            for arm, beyond in contrast.controls.items()
        )
        for hypothesis, contrast in members
    ]


def _control(arm: str, beyond: Beyond, sign: int, p: float, p_against: float | None, family_size: int) -> Control:
    evidence = beyond.evidence
    label, reason = words.effect_label(evidence, sign, p, p_against)
    comparison = Comparison(
        share=beyond.share,
        effect=evidence.effect,
        interval=ends(evidence.interval),
        p=evidence.p,
        p_holm=p,
        p_equivalence_holm=p_against,
        values=tuple(map(float, evidence.values)),
    )
    return Control(arm=arm, label=label, reason=reason, comparison=comparison)


def _decision(
    hypothesis: Statistical,
    contrast: Contrast,
    p: float,
    p_against: float | None,
    family_size: int,
    controls: tuple[Control, ...],
) -> Decision:
    evidence, n = contrast.evidence, len(contrast.sample.seeds)
    label, reason = words.labeller(hypothesis)(evidence, hypothesis.sign, p, p_against)
    least = min(1.0, statistics.least_p(n) * family_size)
    if label == INCONCLUSIVE and statistics.least_p(n) < statistics.ALPHA <= least:
        reason += f"; {n} seeds can give no p below {least:.2g} after Holm's correction for {family_size} tests"
    test = SignificanceTest(
        p=evidence.p,
        p_holm=p,
        p_against=evidence.p_against,
        p_against_holm=p_against,
        shape_p=evidence.shape_p,
        family_size=family_size,
        least_p_holm=least,
    )
    return Decision(label, reason, _estimate(hypothesis, evidence, family_size), test, _mechanism(label, controls))


def _estimate(hypothesis: Statistical, evidence: Evidence, family_size: int) -> Estimate:
    n, detectable = len(evidence.values), None
    if not isinstance(hypothesis, Equivalence | Noninferiority):
        deviation = float(evidence.values.std(ddof=1))
        detectable = finite(statistics.detectable_effect(n, deviation, evidence.margin, family_size))
    return Estimate(
        effect=evidence.effect,
        interval=ends(evidence.interval),
        interval_bca=ends(statistics.bca_interval(evidence.values, seed=0)) if n > 2 else None,
        minimum_detectable=detectable,
    )


def _mechanism(label: Label, controls: tuple[Control, ...]) -> Mechanism | None:
    if not controls:
        return None
    if label != SUPPORTED:
        why = "no effect was established that a mechanism could explain"
        return Mechanism(label=NOT_TESTED, reason=why, controls=controls)
    beyond, why = words.mechanism_label({control.arm: control.label for control in controls})
    return Mechanism(label=beyond, reason=why, controls=controls)


def ends(interval: tuple[float, float]) -> Interval:
    """An interval whose infinite ends are None."""
    low, high = interval
    return finite(low), finite(high)


def finite(value: float) -> float | None:
    """The number, None where it is infinite or NaN."""
    return float(value) if isfinite(value) else None
