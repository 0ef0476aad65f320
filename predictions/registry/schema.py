"""The vocabulary of the registry: claims, their hypotheses, the regimes they are judged in, the seeds that count."""

import re
from dataclasses import field
from fnmatch import fnmatchcase
from typing import Literal

from eisbach.pipeline.params import section

NUMERIC = ("difference", "interaction", "trend", "bound", "equivalence", "noninferiority", "exact")


@section
class Regime:
    """A kind of system, named by a pattern such as `densities/*`; verdicts are never pooled over regimes."""

    title: str  # completes "On ... with N seeds"
    adapter: str  # what its rows carry unless a hypothesis names another
    runs: list[Literal["short", "converged"]]
    seeds: int  # exploratory seeds are 0 to seeds - 1
    sound: bool = False  # a metric that does not tell known groups of real clips apart carries no verdict here
    gate: str = ""  # the metric on which the assay must prove itself; empty: nothing is trained here


@section
class Confirmatory:
    """Seeds first to last, never used while developing."""

    first: int
    last: int

    @property
    def seeds(self) -> list[int]:
        return list(range(self.first, self.last + 1))


@section
class Hypothesis:
    """One way in which a claim can fail. The registry's head describes the kinds and which keys each of them reads.

    Arms are written `name`, `name@lambda`, `name:adapter` or `name@lambda:adapter`.
    """

    id: str
    statement: str  # completes "we found that ..."
    kind: Literal[
        "difference", "interaction", "trend", "bound", "equivalence", "noninferiority", "exact", "universal", "all"
    ]
    regimes: list[str]
    skip: dict[str, str] = field(default_factory=dict)  # a pattern, or one regime of a pattern -> why not there
    runs: list[Literal["short", "converged"]] = field(default_factory=list)  # empty: all of the regime's
    metric: str = ""
    arms: list[str] = field(default_factory=list)  # averaged; in a trend: the levels, in order
    against: list[str] = field(default_factory=list)  # averaged and subtracted
    against_metric: str = ""  # of `against`; empty: the same
    direction: Literal["higher", "lower", ""] = ""
    bound: float | None = None
    margin: float | None = None  # absolute; without one the smallest effect of interest is computed from the table
    requires: dict[str, float] = field(default_factory=dict)  # metric -> what `against` must be shown to lie below
    controls: list[str] = field(default_factory=list)  # the mechanism: what the effect must exceed
    family: str = ""
    optimizer: str = "adamw"
    ungated: str = ""  # why the verdict does not hang on the assay; empty: it does
    parts: list[str] = field(default_factory=list)  # of kind all
    search: str = ""  # of kind universal: a name in `predictions.counterexamples.searches`
    proof: str = ""  # a name in `predictions.proofs`, for the report


@section
class Claim:
    """A sentence of the paper, in our words."""

    id: str
    sentence: str
    place: str
    hypotheses: list[Hypothesis]


@section
class Registry:
    """The pre-registration."""

    regimes: dict[str, Regime]
    confirmatory: Confirmatory
    claims: list[Claim]

    @property
    def hypotheses(self) -> list[tuple[Claim, Hypothesis]]:
        return [(claim, hypothesis) for claim in self.claims for hypothesis in claim.hypotheses]

    def pattern(self, regime: str) -> str | None:
        """The pattern that a regime's name falls under, None if it is in nobody's plan."""
        return next((pattern for pattern in self.regimes if fnmatchcase(regime, pattern)), None)


@section
class Arm:
    """Which rows of the table: `lam` None takes the arm's only lambda, `adapter` "" the regime's own."""

    name: str
    lam: float | None = None
    adapter: str = ""

    def __str__(self) -> str:
        lam = "" if self.lam is None else f"@{self.lam:g}"
        return f"{self.name}{lam}{self.adapter and ':' + self.adapter}"


def arm(text: str) -> Arm:
    """Parse `name@lambda:adapter`. Raises ValueError for anything else."""
    match = re.fullmatch(r"(\w+)(?:@([\d.]+))?(?::(\w+))?", text)
    if match is None:
        raise ValueError(f"'{text}' is no arm; write name, name@lambda or name@lambda:adapter")
    name, lam, adapter = match.groups()
    return Arm(name, None if lam is None else float(lam), adapter or "")
