"""Verdicts as data: frozen dataclasses without behaviour, their labels, and the layout of verdicts.json.

Every number is finite and None where there is none, so that verdicts compare equal and are strict JSON.
"""

from dataclasses import field
from typing import Literal, TypeAlias, get_args

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from predictions.registry.schema import AnyHypothesis, Regime, Run

Label: TypeAlias = Literal["supported", "refuted", "inconclusive", "assay failed", "not tested"]
SUPPORTED, REFUTED, INCONCLUSIVE, ASSAY_FAILED, NOT_TESTED = LABELS = get_args(Label)
Interval: TypeAlias = tuple[float | None, float | None]  # low and high end; None: unbounded

SCHEMA = 2  # of verdicts.json; rises when its layout changes

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
class Sample:
    """The numbers that a verdict is about."""

    seeds: tuple[int, ...]
    values: tuple[float, ...] | None = None
    """One for each seed, in the metric's units: a difference, or the quantity itself. Null for a conjunction."""
    tables: tuple[str, ...]
    """Paths of the tables of outcomes that hold the metric."""


@record
class Margin:
    """The smallest effect of interest, or the tolerance of an exact statement."""

    value: float
    rule: str
    """Where the value comes from."""


@record
class Estimate:
    """The mean over seeds, in the metric's units: of a difference, or of the quantity that has a bound."""

    effect: float
    interval: Interval | None = None
    """95 %, the one that belongs to the test; null at an end: unbounded. Null: none, as nothing is tested."""
    interval_bca: Interval | None = None
    """95 % by the BCa bootstrap, for comparison: too narrow for few seeds. Null for fewer than three."""
    minimum_detectable: float | None = None
    """The true effect that a repeat would label "supported" with probability 0.8. Null: no effect, however large, or
    the statement claims no effect."""


@record
class SignificanceTest:
    """A test for a claim and one against it, corrected within the family."""

    p: float
    p_holm: float
    p_against: float | None = None
    """Of the test that would refute the claim, by equivalence or by an effect beyond the margin; null: no such test."""
    p_against_holm: float | None = None
    shape_p: float | None = None
    """Of a trend: that it is monotone. Contained in p."""
    family_size: int
    least_p_holm: float
    """What the smallest p that so many seeds can give becomes after Holm's correction."""


@record
class Comparison:
    """An arm compared with a control."""

    share: float | None = None
    """Of the arm's effect: the control's own effect divided by it. Null where the arm has none."""
    effect: float
    """Arm minus control."""
    interval: Interval
    p: float
    p_holm: float
    p_equivalence_holm: float | None = None
    values: tuple[float, ...]
    """Arm minus control, one for each seed of the verdict."""


@record
class Control:
    """Whether an arm's effect exceeds that of a control, which stands for another explanation."""

    arm: str
    label: Label
    """Of "the arm's effect exceeds this control's"."""
    reason: str
    comparison: Comparison | None = None
    """Null where the tables lack the control."""


@record
class Mechanism:
    """Whether the effect exceeds every control."""

    label: Label
    reason: str
    controls: tuple[Control, ...]


@record
class SearchResult:
    """The result of a search for a counterexample."""

    found: bool
    tried: int
    """Inputs."""
    description: str
    numbers: dict[str, float] = field(default_factory=dict)
    """What was compared, such as the weights of the inputs."""
    clips: dict[str, str] = field(default_factory=dict)
    """Name -> clip_id, where the inputs are music."""
    files: dict[str, str] = field(default_factory=dict)
    """Kind -> path relative to the folder of verdicts.json."""


@record
class Verdict:
    """One hypothesis on one regime and run. Its optional parts are null where the judge did not get that far."""

    regime: str
    run: Run | None = None
    """Null: the statement is about no trained model."""
    label: Label
    reason: str
    sentence: str
    metric: str | None = None
    status: Status | None = None
    sample: Sample | None = None
    margin: Margin | None = None
    estimate: Estimate | None = None
    test: SignificanceTest | None = None
    mechanism: Mechanism | None = None
    """Null: the hypothesis names no controls, or was not tested."""
    joint_p_holm: float | None = None
    """Of a conjunction: the largest corrected p of its parts."""
    counterexample: SearchResult | None = None
    """Of a universal statement."""


@record
class ArmCheck:
    """One arm of the gate: its mean difference from the baseline, and the p of what it must show."""

    effect: float
    p: float


@record
class Gate:
    """Whether the assay detects an effect that exists, and finds none where none exists."""

    metric: str
    passed: bool
    reason: str
    n: int = 0
    """Seeds."""
    oracle: ArmCheck | None = None
    """Must be detected. Null, as are the others, where an arm, the metric or a second seed is missing."""
    constant: ArmCheck | None = None
    """Must be equivalent to the baseline."""
    margin: float | None = None


@record
class JudgedHypothesis:
    """A hypothesis as registered, and its verdicts: one for each regime and run."""

    registered: AnyHypothesis
    verdicts: tuple[Verdict, ...]


@record
class JudgedClaim:
    """A claim of the paper with its hypotheses."""

    id: str
    sentence: str
    place: str
    counts: dict[Label, int]
    """How many verdicts carry each label."""
    hypotheses: tuple[JudgedHypothesis, ...]


@record
class RegistryFile:
    """The registry that the verdicts are judged by."""

    sha256: str
    """Of its content, without comments and layout."""
    committed: bool
    """Whether the file equals the committed one."""


@record
class Tree:
    """The git checkout that the judge ran in."""

    revision: str | None = None
    clean: bool


@record
class Table:
    """A table of outcomes that was read."""

    path: str
    sha256: str
    rows: int


@record
class Document:
    """The content of verdicts.json, which `python -m predictions` writes and the report carries."""

    schema: Literal[2] = SCHEMA
    registry: RegistryFile
    tree: Tree
    tables: tuple[Table, ...]
    regimes: dict[str, Regime]
    """By pattern."""
    gates: dict[str, dict[Run, Gate]]
    """By regime and run."""
    claims: tuple[JudgedClaim, ...]
