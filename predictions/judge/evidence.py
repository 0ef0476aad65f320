"""Evidence and labels: pure functions from one number per seed to what may be said about a hypothesis.

`supported`, `refuted` and `inconclusive` are decided here, after Holm's correction over the family; `not tested` and
`assay failed` are decided by `predictions.judge.judge`, before any number is looked at. Everything is in the
metric's own units; `sign` is +1 where the claim says "higher" and -1 for "lower".
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from predictions.judge import statistics

SUPPORTED, REFUTED, INCONCLUSIVE = "supported", "refuted", "inconclusive"
NOT_TESTED, ASSAY_FAILED = "not tested", "assay failed"


@dataclass(frozen=True)
class Evidence:
    """What n seeds say about a mean difference or, with a bound, about a mean. NaN where a quantity has no meaning."""

    values: np.ndarray  # [n] what is averaged
    center: float  # what the mean is compared with: 0 for differences, else the bound
    margin: float  # how far beyond the center counts
    p: float  # for the claim's own test
    p_against: float  # for the test that would refute it by equivalence or by being beyond the margin
    shape_p: float = math.nan  # of a trend: that the rise is monotone
    blind: str = ""  # why an absence would say nothing here: the test that would show it then counts as p = 1
    absence: Literal["p", "p_against"] = "p_against"  # which test that is: an equivalence claims what refutes an effect

    @property
    def counted(self) -> tuple[float, float]:
        """p and p_against as Holm's correction may count them."""
        p = 1.0 if self.blind and self.absence == "p" else self.p
        return p, 1.0 if self.blind and self.absence == "p_against" else self.p_against

    @cached_property
    def effect(self) -> float:
        return float(self.values.mean())

    @cached_property
    def interval(self) -> tuple[float, float]:
        low, high = statistics.sign_flip_interval(self.values)
        return float(low), float(high)


def effect(values: np.ndarray, margin: float, center: float = 0.0) -> Evidence:
    """Two-sided sign-flip test against the center; against it: equivalence within the margin, if there is one."""
    against = float(statistics.tost_p(values - center, margin)) if margin > 0 else math.nan
    return Evidence(values, center, margin, float(statistics.sign_flip_p(values, center)), against)


def trend(levels: np.ndarray, values: np.ndarray, margin: float, seed: int) -> Evidence:
    """`values` `[n, L]` over `levels` `[L]`: the change along each seed's line, and whether the means are monotone.

    Both must hold, so p is the larger of the two (intersection-union). The shape is tested in the direction in which
    the seeds went, hence twice its p.
    """
    of_line = effect(statistics.trend_change(levels, values), margin)
    direction = 1 if of_line.effect >= 0 else -1
    shape = min(1.0, 2 * statistics.isotonic_p(direction * values, seed))
    return Evidence(of_line.values, 0.0, margin, max(of_line.p, shape), of_line.p_against, shape)


def equivalence(values: np.ndarray, margin: float) -> Evidence:
    """TOST within the margin; against it: the mean lies beyond the margin on either side, Bonferroni over the two."""
    beyond = min(
        float(statistics.sign_flip_p(values, margin, "greater")), float(statistics.sign_flip_p(values, -margin, "less"))
    )
    return Evidence(values, 0.0, margin, float(statistics.tost_p(values, margin)), min(1.0, 2 * beyond), absence="p")


def noninferiority(values: np.ndarray, margin: float, sign: int) -> Evidence:
    """Not worse by more than the margin, one-sided; against it: worse by more than the margin."""
    oriented = sign * values
    against = float(statistics.sign_flip_p(oriented, -margin, "less"))
    p = float(statistics.noninferiority_p(oriented, margin))
    return Evidence(values, 0.0, margin, p, against, absence="p")


def effect_label(evidence: Evidence, sign: int, p: float, p_against: float) -> tuple[str, str]:
    """Label and reason of a claimed effect from its Holm-corrected p values.

    supported: significant, in the claimed direction, and the interval lies beyond the smallest effect. refuted:
    significant in the other direction, or equivalent to nothing on a metric on which the assay is not blind.
    """
    oriented = sign * (evidence.effect - evidence.center)
    near_end = sign * (evidence.interval[0 if sign > 0 else 1] - evidence.center)
    if p_against < statistics.ALPHA:
        return REFUTED, "equivalent to nothing: whatever there is lies within the smallest effect of interest"
    if p < statistics.ALPHA and oriented < 0:
        return REFUTED, "significant in the opposite direction"
    if p < statistics.ALPHA and near_end > evidence.margin:
        beyond = "the smallest effect of interest" if evidence.margin else "the bound" if evidence.center else "zero"
        return SUPPORTED, f"significant, in the claimed direction, interval beyond {beyond}"
    if p < statistics.ALPHA:
        return INCONCLUSIVE, "significant, but the interval reaches effects too small to matter"
    few = too_few(len(evidence.values))
    return INCONCLUSIVE, few or evidence.blind or "neither an effect nor its absence is established"


def equivalence_label(evidence: Evidence, sign: int, p: float, p_against: float) -> tuple[str, str]:
    """supported: equivalent within the margin, where the assay is not blind. refuted: beyond the margin."""
    if p < statistics.ALPHA:
        return SUPPORTED, "equivalent within the margin"
    if p_against < statistics.ALPHA:
        return REFUTED, "different by more than the margin"
    few = too_few(len(evidence.values))
    return INCONCLUSIVE, few or evidence.blind or "neither equivalence nor a difference is established"


def noninferiority_label(evidence: Evidence, sign: int, p: float, p_against: float) -> tuple[str, str]:
    """supported: not worse by the margin, where the assay is not blind. refuted: worse by more."""
    if p < statistics.ALPHA:
        return SUPPORTED, "not worse by as much as the margin"
    if p_against < statistics.ALPHA:
        return REFUTED, "worse by more than the margin"
    few = too_few(len(evidence.values))
    return INCONCLUSIVE, few or evidence.blind or "a loss as large as the margin is neither shown nor excluded"


def exact_label(values: np.ndarray, bound: float, tolerance: float) -> tuple[str, str]:
    """A statement without a "mostly": one seed outside the tolerance refutes it."""
    worst = float(np.abs(values - bound).max())
    if worst <= tolerance:
        return SUPPORTED, f"every seed is within {tolerance:g} of {bound:g}"
    return REFUTED, f"a seed is {worst:.3g} away from {bound:g}, where {tolerance:g} is allowed for rounding"


def all_label(labels: list[str]) -> tuple[str, str]:
    """Intersection-union: every part must hold, one refuted part refutes the whole."""
    for label in (REFUTED, ASSAY_FAILED, NOT_TESTED, INCONCLUSIVE):
        if label in labels:
            return label, f"{labels.count(label)} of its {len(labels)} parts: {label}"
    return SUPPORTED, "all parts are supported"


def mechanism_label(beyond: dict[str, str]) -> tuple[str, str]:
    """From the label of "the barrier exceeds this control" for every control: one that it does not exceed refutes."""
    for label in (REFUTED, NOT_TESTED, INCONCLUSIVE):
        if named := [arm for arm, of_arm in beyond.items() if of_arm == label]:
            return label, {
                REFUTED: f"{' and '.join(named)} does as well or better",
                NOT_TESTED: f"the table has no {' and no '.join(named)}",
                INCONCLUSIVE: f"not told apart from {' and '.join(named)}",
            }[label]
    return SUPPORTED, f"beyond {' and '.join(beyond)}"


def too_few(n: int) -> str:
    """A reason where no data whatever could be significant, before any correction; else empty."""
    least = statistics.least_p(n)
    return f"n = {n} cannot be significant: the least p is {least:g}" if least >= statistics.ALPHA else ""
