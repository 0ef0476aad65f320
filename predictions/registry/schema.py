"""The vocabulary of the registry: claims, hypotheses, the regimes they are judged in, the confirmatory seeds.

A hypothesis is a tagged union: one class for each value of `kind`, which has exactly the keys that this kind reads.
The head of registry.yaml says what each kind asserts. Arms are written `name[@lambda][:adapter]`.
"""

from collections.abc import Iterable
from dataclasses import field
from fnmatch import fnmatchcase
from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic.dataclasses import dataclass

from eisbach.arms import Arm, parse

section = dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))


def _arm(given: object) -> object:
    arm = parse(given) if isinstance(given, str) else given
    if isinstance(arm, Arm) and arm.follows:
        raise ValueError(f"'{given}' names the arm that it replays, which tables of outcomes do not record; omit '~'")
    return arm


Name: TypeAlias = Annotated[str, Field(min_length=1)]
ArmText: TypeAlias = Annotated[Arm, BeforeValidator(_arm), PlainSerializer(str)]  # text in YAML and JSON
Arms: TypeAlias = Annotated[list[ArmText], Field(min_length=1)]
Metric: TypeAlias = Name | dict[str, Name]  # one name, or one for each regime where the quantity differs
Run: TypeAlias = Literal["short", "converged"]
Direction: TypeAlias = Literal["higher", "lower"]


@section
class Regime:
    """A kind of system, named by a pattern such as `densities/*`. Verdicts are never pooled over regimes."""

    title: str  # completes "On ... with N seeds"
    adapter: str  # of its rows, unless an arm names another
    runs: list[Run]
    seeds: int  # exploratory seeds are 0 to seeds - 1
    sound: bool = False  # its samples are music: metrics that validity.json calls invalid are not judged here
    gate: Name | None = None  # the metric on which the assay must prove itself; None where nothing is trained


@section
class Confirmatory:
    """The seeds first to last, which are never used during development."""

    first: int
    last: int

    @property
    def seeds(self) -> list[int]:
        return list(range(self.first, self.last + 1))


@section
class Hypothesis:
    """One way in which a claim can fail: what all kinds have in common."""

    id: Name
    statement: Name  # completes "we found that ..."
    regimes: list[str]  # patterns of regimes where it is judged
    skip: dict[str, Name] = field(default_factory=dict)  # a pattern, or one regime of a pattern -> why not there
    proof: Name | None = None  # a name in `predictions.proofs`, for the report

    @property
    def deciding(self) -> bool:
        """Whether the claim stands or falls by it. Others are reported with the claim and do not decide it."""
        return True


@section
class Universal(Hypothesis):
    """A statement about all inputs, refuted by one counterexample."""

    kind: Literal["universal"]
    search: Name  # a name in `predictions.counterexamples.searches`
    family: Name | None = None  # "secondary" where the statement says more than the paper does

    @property
    def deciding(self) -> bool:
        return self.family in (None, "primary")


@section
class Conjunction(Hypothesis):
    """Several hypotheses of which all must hold."""

    kind: Literal["all"]
    parts: Annotated[list[Name], Field(min_length=1)]  # ids
    runs: list[Run] = field(default_factory=list)  # empty: all of the regime's


@section
class Measured(Hypothesis):
    """A hypothesis about a metric of the table of outcomes."""

    metric: Metric
    arms: Arms  # averaged; of a trend: the levels, in order
    runs: list[Run] = field(default_factory=list)  # empty: all of the regime's
    optimizer: Name = "adamw"
    ungated: Name | None = None  # why the verdict does not depend on the gate; None: it does

    def metric_on(self, pattern: str) -> str:
        """The metric's name on the regimes of a pattern."""
        return _on(self.metric, pattern)


@section
class Exact(Measured):
    """Every seed lies within `margin` of `bound`. One seed outside refutes it, so it needs no test and no family."""

    kind: Literal["exact"]
    bound: float
    margin: float  # allowed for rounding
    against: list[ArmText] = field(default_factory=list)


@section
class Statistical(Measured):
    """A hypothesis that a significance test decides, with Holm's correction over its family."""

    family: Name

    @property
    def deciding(self) -> bool:
        return self.family == "primary"

    @property
    def sign(self) -> int:
        """+1 where larger values speak for the statement, -1 where smaller ones do."""
        return 1


@section
class Directed(Statistical):
    """A tested hypothesis that names a direction."""

    direction: Direction

    @property
    def sign(self) -> int:
        return -1 if self.direction == "lower" else 1


@section
class Difference(Directed):
    """The mean of `arms` minus the mean of `against`."""

    kind: Literal["difference"]
    against: Arms
    against_metric: Metric | None = None  # None: the same metric as `arms`
    margin: float | None = None  # absolute; None: the smallest effect of interest, computed from the table
    requires: dict[str, float] = field(default_factory=dict)  # metric -> below which all arms must be shown to lie
    controls: list[ArmText] = field(default_factory=list)  # other explanations, which the effect must exceed

    def against_metric_on(self, pattern: str) -> str:
        """The metric of `against` on the regimes of a pattern."""
        return self.metric_on(pattern) if self.against_metric is None else _on(self.against_metric, pattern)


@section
class Interaction(Directed):
    """The difference of differences of a 2x2 design: two plus-arms in `arms`, two minus-arms in `against`."""

    kind: Literal["interaction"]
    against: Arms
    margin: float | None = None


@section
class Trend(Directed):
    """The change over the arms' lambdas along each seed's line, and a monotone rise or fall."""

    kind: Literal["trend"]
    margin: float | None = None


@section
class Bound(Directed):
    """The mean of `arms`, minus that of `against` where there are any, compared with `bound`."""

    kind: Literal["bound"]
    bound: float
    against: list[ArmText] = field(default_factory=list)


@section
class Equivalence(Statistical):
    """A difference that lies within the margin on both sides."""

    kind: Literal["equivalence"]
    against: Arms
    margin: float | None = None
    requires: dict[str, float] = field(default_factory=dict)


@section
class Noninferiority(Directed):
    """A difference that is not worse than the margin; `direction` says which way is better."""

    kind: Literal["noninferiority"]
    against: Arms
    margin: float | None = None
    requires: dict[str, float] = field(default_factory=dict)


AnyHypothesis: TypeAlias = Annotated[
    Difference | Interaction | Trend | Bound | Equivalence | Noninferiority | Exact | Universal | Conjunction,
    Field(discriminator="kind"),
]

KINDS = tuple(get_args(one.__dataclass_fields__["kind"].type)[0] for one in get_args(get_args(AnyHypothesis)[0]))


@section
class Claim:
    """A sentence of the paper, in our words."""

    id: Name
    sentence: str
    place: str  # in the paper
    hypotheses: list[AnyHypothesis]


@section
class Registry:
    """The pre-registration."""

    regimes: dict[str, Regime]
    confirmatory: Confirmatory
    claims: list[Claim]

    @property
    def hypotheses(self) -> list[AnyHypothesis]:
        return [hypothesis for claim in self.claims for hypothesis in claim.hypotheses]

    def pattern(self, regime: str) -> str | None:
        """The pattern that a regime's name matches, None if it matches none."""
        return pattern(self.regimes, regime)


def pattern(patterns: Iterable[str], regime: str) -> str | None:
    """The first of the patterns that a regime's name matches, None if it matches none."""
    return next((one for one in patterns if fnmatchcase(regime, one)), None)


def subtracted(hypothesis: Measured) -> list[Arm]:
    """The arms whose mean is subtracted; a trend has none."""
    return [] if isinstance(hypothesis, Trend) else hypothesis.against


def _on(metric: Metric, pattern: str) -> str:
    return metric if isinstance(metric, str) else metric[pattern]
