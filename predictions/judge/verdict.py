"""Verdicts as data: frozen dataclasses without behaviour, and the layout of verdicts.json.

Every number is finite and None where there is none, so that verdicts compare equal and are strict JSON.
"""

from dataclasses import field
from typing import Literal, TypeAlias

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from predictions.judge.words import ClaimWord, Word
from predictions.registry.schema import AnyAtom, System

Interval: TypeAlias = tuple[float | None, float | None]  # low and high end; None: unbounded

SCHEMA = 3  # of verdicts.json; rises when its layout changes

record = dataclass(
    frozen=True,
    kw_only=True,
    config=ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,
    ),
)


@record
class Status:
    """Whether the seeds make a verdict confirmatory, and why."""

    label: Literal["exploratory", "confirmatory"]
    reason: str


@record
class Effect:
    """The mean of x over the blocks, in x's unit."""

    mean: float
    interval: Interval
    """At the level of the family: it decides the word."""
    interval_95: Interval
    detectable: float | None
    """Half the width of the interval: an effect that could have been seen. Null where it is unbounded."""


@record
class Sample:
    """The numbers that a verdict is about."""

    blocks: Literal["seeds", "pieces"]
    n: int
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    """x of every seed; empty for pieces, whose statistic has no value of its own for each."""
    members: dict[str, float]
    """Mean x of every member, by regime; empty for a system with one."""
    agreeing: int
    """How many members have the sign of the mean."""
    tables: tuple[str, ...]


@record
class Share:
    """The effect as a share of the positive control's, with Fieller's 95 % interval; null: unbounded."""

    value: float
    interval: Interval


@record
class ControlCheck:
    """Gate (b): whether the positive control acts in its frozen direction."""

    name: str
    acts: Literal["along", "against"]
    effect: float
    """In x's unit; positive in the claim's direction."""
    p: float
    """One-sided."""
    passed: bool
    share: Share | None


@record
class Explanation:
    """The barrier's effect minus that of another explanation."""

    arm: str
    word: Word
    below: bool
    reason: str
    effect: Effect | None


@record
class Mechanism:
    """Whether an effect that is there needs each sample's own weight."""

    label: Literal["sample-specific", "explained by", "undecided", "not tested"]
    by: str | None
    """The control whose difference is absent."""
    controls: tuple[Explanation, ...]


@record
class Verdict:
    """One atom on one system."""

    system: str
    word: Word
    below: bool
    """The effect is shown to be smaller than the margin."""
    reason: str
    decides: bool
    margin: float | None
    margin_because: str
    sample: Sample | None
    effect: Effect | None
    control: ControlCheck | None
    mechanism: Mechanism | None
    reach: float | None
    """What the barrier's spread of factors reaches by linear response, in margins, as registered."""


@record
class ArmCheck:
    """A check of the assay on one system: the mean over seeds with its 95 % interval."""

    effect: float
    interval: Interval
    passed: bool
    reason: str


@record
class Gate:
    """What one system's training must show; null where it is not asked or cannot be measured."""

    trained: ArmCheck | None
    constant: ArmCheck | None


@record
class SearchResult:
    """A search for a counterexample."""

    found: bool
    tried: int
    description: str
    numbers: dict[str, float] = field(default_factory=dict)
    clips: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


@record
class AlgebraVerdict:
    """What needs no data."""

    statement: str
    says: Literal["the sentence", "a tautology", "a stronger wording"]
    word: Literal["proved", "disproved", "undecided"]
    proof: str | None
    search: str | None
    counterexample: SearchResult | None


@record
class JudgedAtom:
    """An atom with its verdict on every system where it is measured."""

    registered: AnyAtom
    verdicts: tuple[Verdict, ...]


@record
class JudgedClaim:
    """A sentence of the paper with everything that was found about it."""

    id: str
    sentence: str
    place: str
    algebra: tuple[AlgebraVerdict, ...]
    atoms: tuple[JudgedAtom, ...]
    words: dict[str, ClaimWord]
    """By system where an atom decides."""


@record
class JudgedSystem:
    """One system as it was run."""

    registered: System
    family: int
    """Its number of deciding atoms, whatever was measured."""
    seeds: tuple[int, ...]
    lost: tuple[int, ...]
    """Seeds of which an arm diverged."""
    gate: Gate
    status: Status | None
    """Null: nothing was run."""


@record
class Cell:
    """One cell of the headline: a claim in one column."""

    word: str
    """The claim's word in the column's first system that says one; empty: nothing to say there."""
    text: str


@record
class Headline:
    """The answer and the table of claims, from which README, report, terminal and report.md are written."""

    answer: str
    columns: tuple[str, ...]
    rows: dict[str, dict[str, Cell]]
    """Claim -> column -> cell."""
    status: str


@record
class RegistryFile:
    sha256: str
    committed: bool


@record
class Tree:
    """The checkout that judged."""

    revision: str | None
    clean: bool


@record
class Table:
    """A table of outcomes."""

    path: str
    sha256: str
    rows: int
    seal: str
    """Hash of the seal under which it was written; empty: none."""


@record
class Document:
    """verdicts.json."""

    headline: Headline
    systems: dict[str, JudgedSystem]
    claims: tuple[JudgedClaim, ...]
    registry: RegistryFile
    tree: Tree
    tables: tuple[Table, ...]
    version: Literal[3] = SCHEMA
