"""Claims as their pages show them: the atoms that decide with their letters, and everything else, folded away."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from predictions.judge.headline import legend, letters
from predictions.judge.verdict import Cell, Document, JudgedClaim, Verdict
from predictions.registry.schema import AnyAtom, Registry
from predictions.report.text import visible
from predictions.report.theme import REGIMES


@dataclass(frozen=True)
class Line:
    """An atom on one system."""

    atom: AnyAtom
    verdict: Verdict


@dataclass(frozen=True)
class Claim:
    """One sentence of the paper with everything that was found about it."""

    number: int
    judged: JudgedClaim
    cells: dict[str, Cell]  # by column of the headline; empty before anything is judged

    @property
    def page(self) -> str:
        return f"claim-{self.number}.html"

    @property
    def legend(self) -> str:
        return legend(self.judged)

    @property
    def lines(self) -> list[Line]:
        """Every atom on every system, in the registry's order."""
        return [Line(one.registered, verdict) for one in self.judged.atoms for verdict in one.verdicts]

    @property
    def deciding(self) -> list[tuple[str, AnyAtom, list[Verdict]]]:
        """(letter, atom, its deciding verdicts on systems that were run) of every atom that has one."""
        found, named = [], letters(self.judged)
        for one in self.judged.atoms:
            verdicts = [verdict for verdict in one.verdicts if verdict.decides and verdict.effect]
            if verdicts:
                found.append((named[one.registered.id], one.registered, verdicts))
        return found

    @property
    def folded(self) -> list[Line]:
        """What decides nothing or was not measured."""
        return [line for line in self.lines if not (line.verdict.decides and line.verdict.effect)]


def claims(document: Document | None, registry: Registry) -> list[Claim]:
    """All claims, numbered from 1 as their pages are; before anything is judged, the registered ones."""
    if document is None:
        return [Claim(number, one, {}) for number, one in enumerate(_registered(registry), 1)]
    rows = document.headline.rows
    return [Claim(number, one, rows[one.id]) for number, one in enumerate(document.claims, 1)]


def _registered(registry: Registry) -> Iterator[JudgedClaim]:
    for claim in registry.claims:
        yield JudgedClaim(id=claim.id, sentence=claim.sentence, place=claim.place, algebra=(), atoms=(), words={})


def order(regime: str) -> tuple[int, str]:
    """Key that sorts regimes as in `theme.REGIMES`, the unknown last; within a family by name."""
    known, family = list(REGIMES), regime.partition("/")[0]
    return (known.index(family) if family in known else len(known), regime)


def systems(document: Document | None) -> dict[str, str]:
    """System -> its title; empty before anything is judged."""
    if document is None:
        return {}
    return {name: visible(one.registered.title) for name, one in document.systems.items()}


def gates(document: Document | None) -> Iterable[tuple[str, str, object]]:
    """(system's title, what is checked, the check) of every gate that was asked."""
    for one in document.systems.values() if document else ():
        for name, check in (
            ("training lowers the loss", one.gate.trained),
            ("constant equals baseline", one.gate.constant),
        ):
            if check is not None:
                yield one.registered.title, name, check
