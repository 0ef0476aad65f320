"""Verdicts as the pages need them: what each system says of a claim, and one verdict whose numbers are shown.

A system is a regime, or all regimes of a pattern such as `densities/*`. Nothing is pooled: a system shows how many of
its verdicts carry each label.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from predictions.judge.verdict import NOT_TESTED, REFUTED, SUPPORTED, JudgedClaim, JudgedHypothesis, Verdict
from predictions.registry.schema import AnyHypothesis, Conjunction, Universal
from predictions.report.theme import LABELS, REGIMES, sign

Counts = tuple[tuple[str, int], ...]  # labels with how often, in the order of their ranks
MIXED = "mixed"  # of a claim: supported by one system or hypothesis and refuted by another


@dataclass(frozen=True)
class Found:
    """A verdict and the hypothesis that it judges."""

    registered: AnyHypothesis
    verdict: Verdict


@dataclass(frozen=True)
class Line:
    """One claim on one system."""

    system: str
    labels: Counts  # of the verdicts that decide the claim there
    mechanisms: Counts
    headline: Found  # whose numbers are shown


@dataclass(frozen=True)
class Claim:
    """One sentence of the paper with everything that was found about it."""

    id: str
    number: int
    sentence: str
    place: str
    lines: tuple[Line, ...]
    untested: tuple[str, ...]  # systems on which nothing that was planned could be tested
    stronger: Counts  # of universal statements that say more than the claim does
    hypotheses: tuple[JudgedHypothesis, ...]

    @property
    def page(self) -> str:
        return f"claim-{self.number}.html"

    @property
    def overall(self) -> str:
        """The label that was decided anywhere, "mixed" where both were, otherwise the most telling one."""
        return _overall({label for line in self.lines for label, _ in line.labels})

    @property
    def mechanism(self) -> str | None:
        """The same for mechanisms; None where none is claimed."""
        labels = {label for line in self.lines for label, _ in line.mechanisms}
        return _overall(labels) if labels else None

    @property
    def verdicts(self) -> list[Verdict]:
        return [verdict for hypothesis in self.hypotheses for verdict in hypothesis.verdicts]


def _overall(labels: set[str]) -> str:
    decided = labels & {SUPPORTED, REFUTED}
    if len(decided) == 2:
        return MIXED
    return min(decided or labels or {NOT_TESTED}, key=lambda label: sign(label).rank)


def claim(number: int, judged: JudgedClaim) -> Claim:
    """The claim as its page shows it. One without hypotheses is only named."""
    found = [Found(one.registered, verdict) for one in judged.hypotheses for verdict in one.verdicts]
    deciding = [one for one in found if one.registered.deciding]
    stronger = [one for one in found if deciding and not one.registered.deciding]
    deciding = deciding or found
    systems = sorted({system(one.verdict.regime) for one in deciding}, key=order)
    lines = [_line(name, [one for one in deciding if system(one.verdict.regime) == name]) for name in systems]
    tested = [line for line in lines if any(label != NOT_TESTED for label, _ in line.labels)]
    return Claim(
        judged.id,
        number,
        judged.sentence,
        judged.place,
        tuple(tested),
        tuple(line.system for line in lines if line not in tested),
        _counted(one.verdict.label for one in stronger if isinstance(one.registered, Universal)),
        judged.hypotheses,
    )


def _line(name: str, found: list[Found]) -> Line:
    mechanisms = [one.verdict.mechanism.label for one in found if one.verdict.mechanism]
    headline = min(found, key=lambda one: (sign(one.verdict.label).rank, isinstance(one.registered, Conjunction)))
    return Line(name, _counted(one.verdict.label for one in found), _counted(mechanisms), headline)


def _counted(labels: Iterable[str]) -> Counts:
    return tuple(sorted(Counter(labels).items(), key=lambda item: sign(item[0]).rank))


def system(regime: str) -> str:
    """`trajectories/c32` -> `trajectories`."""
    return regime.partition("/")[0]


def order(regime: str) -> tuple[int, str]:
    """Key that sorts systems as in `theme.REGIMES`, the unknown last; within a system by name."""
    known, name = list(REGIMES), system(regime)
    return (known.index(name) if name in known else len(known), regime)


def claims(judged: Iterable[JudgedClaim]) -> list[Claim]:
    """All claims, numbered from 1 as their pages are."""
    return [claim(number, one) for number, one in enumerate(judged, 1)]


def tally(found: list[Claim]) -> dict[str, int]:
    """How many claims have each overall label, in the order of the labels."""
    counts = Counter(claim.overall for claim in found)
    return {label: counts[label] for label in LABELS if counts[label]}


def words(counted: Iterable[tuple[str, int]]) -> str:
    """`refuted (2), inconclusive`: labels with how often, where more than once."""
    return ", ".join(label if count == 1 else f"{label} ({count})" for label, count in counted)
