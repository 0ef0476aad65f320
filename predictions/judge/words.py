"""Labels: from evidence and corrected p values to what may be said about a hypothesis, each with its reason.

`supported`, `refuted` and `inconclusive` are decided here, after Holm's correction over the family. `judge` decides
`not tested` and `assay failed` before it looks at any number. `sign` is as in `evidence`.
"""

from collections.abc import Callable, Sequence

import numpy as np

from predictions.judge import statistics
from predictions.judge.evidence import Evidence
from predictions.judge.verdict import ASSAY_FAILED, INCONCLUSIVE, NOT_TESTED, REFUTED, SUPPORTED, Label
from predictions.registry.schema import Equivalence, Noninferiority, Statistical


def effect_label(evidence: Evidence, sign: int, p: float, p_against: float | None) -> tuple[Label, str]:
    """Of a claimed effect, from its Holm-corrected p values.

    supported: significant, in the claimed direction, and the interval lies beyond the smallest effect of interest.
    refuted: significant in the other direction, or equivalent to zero on a metric on which the assay is sensitive.
    """
    oriented = sign * (evidence.effect - evidence.center)
    near_end = sign * (evidence.interval[0 if sign > 0 else 1] - evidence.center)
    if _significant(p_against):
        return REFUTED, "equivalent to zero: any effect lies within the smallest effect of interest"
    if _significant(p) and oriented < 0:
        return REFUTED, "significant in the opposite direction"
    if _significant(p) and near_end > evidence.margin:
        beyond = "the smallest effect of interest" if evidence.margin else "the bound" if evidence.center else "zero"
        return SUPPORTED, f"significant, in the claimed direction, interval beyond {beyond}"
    if _significant(p):
        return INCONCLUSIVE, "significant, but the interval includes effects too small to matter"
    return INCONCLUSIVE, _undecided(evidence, "neither an effect nor its absence is established")


def equivalence_label(evidence: Evidence, sign: int, p: float, p_against: float | None) -> tuple[Label, str]:
    """supported: equivalent within the margin, where the assay is sensitive. refuted: beyond the margin."""
    if _significant(p):
        return SUPPORTED, "equivalent within the margin"
    if _significant(p_against):
        return REFUTED, "different by more than the margin"
    return INCONCLUSIVE, _undecided(evidence, "neither equivalence nor a difference is established")


def noninferiority_label(evidence: Evidence, sign: int, p: float, p_against: float | None) -> tuple[Label, str]:
    """supported: not worse by the margin, where the assay is sensitive. refuted: worse by more."""
    if _significant(p):
        return SUPPORTED, "not worse by as much as the margin"
    if _significant(p_against):
        return REFUTED, "worse by more than the margin"
    return INCONCLUSIVE, _undecided(evidence, "a loss as large as the margin is neither shown nor excluded")


def labeller(hypothesis: Statistical) -> Callable[[Evidence, int, float, float | None], tuple[Label, str]]:
    """The function that labels hypotheses of this kind."""
    if isinstance(hypothesis, Equivalence):
        return equivalence_label
    return noninferiority_label if isinstance(hypothesis, Noninferiority) else effect_label


def exact_label(values: np.ndarray, bound: float, tolerance: float) -> tuple[Label, str]:
    """Of a statement about every seed, `values` `[n]`: one seed outside the tolerance refutes it."""
    worst = float(np.abs(values - bound).max())
    if worst <= tolerance:
        return SUPPORTED, f"every seed is within {tolerance:g} of {bound:g}"
    return REFUTED, f"a seed is {worst:.3g} away from {bound:g}, where rounding allows {tolerance:g}"


def conjunction_label(labels: Sequence[Label]) -> tuple[Label, str]:
    """Intersection-union: every part must hold; one refuted part refutes the whole."""
    for label in (REFUTED, ASSAY_FAILED, NOT_TESTED, INCONCLUSIVE):
        if label in labels:
            return label, f"{labels.count(label)} of its {len(labels)} parts: {label}"
    return SUPPORTED, "all parts are supported"


def mechanism_label(beyond: dict[str, Label]) -> tuple[Label, str]:
    """From the label of "the arm's effect exceeds this control's" for every control; one that it does not refutes."""
    for label in (REFUTED, NOT_TESTED, INCONCLUSIVE):
        if named := [arm for arm, of_arm in beyond.items() if of_arm == label]:
            return label, {
                REFUTED: f"{' and '.join(named)} does as well or better",
                NOT_TESTED: f"the table has no {' and no '.join(named)}",
                INCONCLUSIVE: f"not separated from {' and '.join(named)}",
            }[label]
    return SUPPORTED, f"beyond {' and '.join(beyond)}"


def too_few(n: int) -> str | None:
    """The reason where no values of n seeds could be significant, even before any correction; otherwise None."""
    least = statistics.least_p(n)
    return f"n = {n} cannot be significant: the least p is {least:g}" if least >= statistics.ALPHA else None


def _significant(p: float | None) -> bool:
    return p is not None and p < statistics.ALPHA


def _undecided(evidence: Evidence, otherwise: str) -> str:
    return too_few(len(evidence.values)) or evidence.insensitive or otherwise
