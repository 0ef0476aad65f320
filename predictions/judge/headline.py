"""The headline: the answer to "should I switch it on?", and the table of claims. README, report, terminal and
report.md are written from it."""

from collections.abc import Iterable, Mapping
from textwrap import fill

import numpy as np
import pandas as pd
from rich.table import Table as Terminal

from predictions.judge.numbers import MINUS, effect, significant
from predictions.judge.verdict import AlgebraVerdict, Cell, Headline, JudgedClaim, JudgedSystem, Verdict
from predictions.registry.schema import AnyAtom

ALGEBRA = "by algebra"
SMALL = "small"
OF_MUSIC = ("seed-consistency", "structure", "no-collapse")  # claims about how samples sound
DISTANCE = "sample_distance_db/"
WIDTH = 80  # columns of a terminal
SHORT = {"closed_form": "closed form"}  # names of systems where a column has several


def headline(claims: Iterable[JudgedClaim], systems: Mapping[str, JudgedSystem], table: pd.DataFrame) -> Headline:
    """The answer and one row per claim."""
    claims = list(claims)
    columns = dict.fromkeys(one.registered.column for one in systems.values() if one.registered.column)
    rows = {}
    for claim in claims:
        rows[claim.id] = {ALGEBRA: _algebra(claim.algebra)}
        for column in columns:
            own = [name for name, one in systems.items() if one.registered.column == column]
            rows[claim.id][column] = _cell(claim, own, systems)
    return Headline(
        answer=answer(claims, systems, table), columns=(ALGEBRA, *columns), rows=rows, status=status(systems)
    )


def status(systems: Mapping[str, JudgedSystem]) -> str:
    """What kind of seeds the words come from."""
    reasons: dict[str, dict[str, None]] = {}
    for found in (one.status for one in systems.values() if one.status):
        reasons.setdefault(found.label, {}).update(dict.fromkeys(found.reason.split("; ")))
    return "; ".join(f"{label}: {'; '.join(parts)}" for label, parts in reasons.items()) or "nothing was run"


def letters(claim: JudgedClaim) -> dict[str, str]:
    """The letter of every atom that decides somewhere: its id -> "a", "b", ..."""
    deciding = [one.registered.id for one in claim.atoms if any(verdict.decides for verdict in one.verdicts)]
    return {name: chr(ord("a") + index) for index, name in enumerate(deciding)}


def on_system(claims: Iterable[JudgedClaim], system: str) -> list[tuple[AnyAtom, Verdict]]:
    """Every atom of the claims that is measured on a system, with its verdict there, in the registry's order."""
    return [
        (one.registered, verdict)
        for claim in claims
        for one in claim.atoms
        for verdict in one.verdicts
        if verdict.system == system
    ]


def legend(claim: JudgedClaim) -> str:
    """The claim's atoms with their letters."""
    labels = {one.registered.id: one.registered.label for one in claim.atoms}
    return ", ".join(f"({letter}) {labels[name]}" for name, letter in letters(claim).items())


def _algebra(found: Iterable[AlgebraVerdict]) -> Cell:
    """The words of what needs no data; the cell's own is that of the sentence itself."""
    found = list(found)
    own = next((one.word for one in found if one.says == "the sentence"), "")
    words = [one.word + ("" if one.says == "the sentence" else f" ({one.says})") for one in found]
    counted = [f"{words.count(word)} x {word}" if words.count(word) > 1 else word for word in dict.fromkeys(words)]
    return Cell(word=own, text="; ".join(counted))


def _cell(claim: JudgedClaim, own: list[str], systems: Mapping[str, JudgedSystem]) -> Cell:
    found = {name: [verdict for _, verdict in on_system([claim], name)] for name in own}
    planned = [name for name in own if any(verdict.decides for verdict in found[name])]
    if not planned:
        return Cell(word="", text="")
    ran = [name for name in planned if any(verdict.effect for verdict in found[name])]
    if not ran:
        return Cell(word="not tested", text="not run" if not any(systems[n].seeds for n in planned) else "not tested")
    texts = [_words(claim, name) for name in ran]
    if len(ran) > 1:
        texts = [f"{SHORT.get(name, name)}: {text}" for name, text in zip(ran, texts, strict=True)]
    main = max(ran, key=lambda name: systems[name].family)  # the system with most atoms speaks for the column
    return Cell(word=claim.words[main], text="; ".join(texts))


def _words(claim: JudgedClaim, system: str) -> str:
    """`(a) holds, 2.4 : 1; (b) present, below d, -9 %` for one system."""
    named = letters(claim)
    deciding = [(atom, verdict) for atom, verdict in on_system([claim], system) if verdict.decides]
    return "; ".join(f"({named[atom.id]}) {phrase(atom, verdict)}" for atom, verdict in deciding)


def phrase(atom: AnyAtom, verdict: Verdict) -> str:
    """A word with its number; for an effect smaller than the margin that it is, and what else explains an effect."""
    number = effect(atom, verdict)
    why = verdict.mechanism
    explained = f", explained by {why.by}" if why is not None and why.by is not None else ""
    return _word(verdict) + (f", {number}" if number else "") + explained


def _word(verdict: Verdict) -> str:
    """`present, below d` for an effect that is shown to be smaller than the margin, otherwise the word alone."""
    return verdict.word + (", below d" if verdict.below else "")


def answer(claims: list[JudgedClaim], systems: Mapping[str, JudgedSystem], table: pd.DataFrame) -> str:
    """Should I switch it on? In numbers: at which lambda, on what, how much, and what is not known."""
    if not any(systems[name].seeds for name in systems):
        measured = any(verdict.effect for name in systems for _, verdict in on_system(claims, name))
        return (
            "Nothing was trained yet: only the weights of the given model are measured."
            if measured
            else "Nothing was run yet."
        )
    parts = [_verdict_on_music(claims), _distances(table), _shares(claims)]
    seeds = ", ".join(f"{one.registered.title} ({len(one.seeds)} seeds)" for one in systems.values() if one.seeds)
    parts.append(f"Run so far: {seeds}; {'; '.join(sorted({s.status.label for s in systems.values() if s.status}))}.")
    if SMALL in systems and not systems.get("medium", systems[SMALL]).seeds:
        parts.append("Stable Audio 3 Medium was not run, and images are untested.")
    return " ".join(filter(None, parts))


def _verdict_on_music(claims: list[JudgedClaim]) -> str:
    of_music = [claim for claim in claims if claim.id in OF_MUSIC]
    found = [(atom, verdict) for atom, verdict in on_system(of_music, SMALL) if verdict.decides]
    if not any(verdict.effect for _, verdict in found):
        return ""
    by_word: dict[str, list[str]] = {}
    for atom, verdict in found:
        by_word.setdefault(_word(verdict), []).append(atom.label)
    listed = "; ".join(f"{word}: {', '.join(labels)}" for word, labels in by_word.items())
    held = any(verdict.word == "holds" for _, verdict in found)
    unseen = any(
        verdict.word in ("undecided", "insensitive", "not tested") or (verdict.word == "present" and not verdict.below)
        for _, verdict in found
    )
    if held:
        opening = "There is a reason to try it at lambda 0.5."
    elif unseen:
        opening = "Nothing here says that you should."
    else:
        opening = "Not for the music: at lambda 0.5 no quantity changes as the paper says by a quarter of a curriculum."
    return f"{opening} On the small Stable Audio 3, {listed}."


def _distances(table: pd.DataFrame) -> str:
    """How far the barrier moves a sample, beside other reasons why samples differ."""
    own = table[(table["regime"] == SMALL) & table["metric"].str.startswith(DISTANCE)]
    means = own.groupby(["arm", "metric"])["value"].mean()

    def mean(arm: str, reference: str) -> str | None:
        value = means.get((arm, DISTANCE + reference), np.nan)
        return significant(value) if np.isfinite(value) else None

    given = {
        "the barrier at lambda 1": mean("barrier_1", "baseline"),
        "a curriculum by the class label": mean("class", "baseline"),
        "fine-tuning itself": mean("baseline", "base"),
        "another noise": mean("baseline", "noise"),
    }
    moved = mean("barrier", "baseline")
    if moved is None:
        return ""
    others = ", ".join(f"{name} {value}" for name, value in given.items() if value is not None)
    return f"The barrier at lambda 0.5 moves a sample by {moved} dB (rms of its log-mel spectrum); {others}."


def _shares(claims: list[JudgedClaim]) -> str:
    """What share of a full curriculum the barrier is, where the data bound one."""
    found = [
        (atom.label, verdict.control.share)
        for atom, verdict in on_system(claims, SMALL)
        if verdict.control and verdict.control.name == "curriculum"
        if verdict.control.passed and verdict.control.share and None not in verdict.control.share.interval
    ]
    if not found:
        return ""
    listed = ", ".join(
        f"{_percent(share.value)} % ({' to '.join(map(_percent, share.interval))} %) of it on '{label}'"
        for label, share in found
    )
    return f"Of what a full curriculum does, the barrier does {listed}."


def _percent(share: float) -> str:
    return f"{100 * share:.0f}".replace("-", MINUS)


def terminal(found: Headline, claims: Iterable[JudgedClaim]) -> tuple[str, Terminal]:
    """The answer, wrapped, and the table of words, both within 80 columns."""
    table = Terminal("claim", *found.columns, width=WIDTH)
    for claim in claims:
        cells = (found.rows[claim.id][column] for column in found.columns)
        table.add_row(claim.id, *(cell.word or cell.text for cell in cells))
    return fill(found.answer, WIDTH), table
