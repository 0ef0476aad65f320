"""The vocabulary of the registry: systems, controls, claims, their atoms, and what algebra says.

An atom is one quantity in which a sentence of the paper can fail. It is a tagged union: one class for each value of
`kind`, with exactly the keys that this kind reads. Every comparison gives one number x per seed and system, positive
in the claim's direction. Arms are written `name[@lambda][:adapter]`.
"""

from collections.abc import Iterable
from dataclasses import field
from fnmatch import fnmatchcase
from typing import Annotated, ClassVar, Literal, TypeAlias, get_args

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
Size: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Run: TypeAlias = Literal["short", "converged"]
Direction: TypeAlias = Literal["higher", "lower"]
Scale: TypeAlias = Literal["log", "plain"]
Acts: TypeAlias = Literal["along", "against"]

BARRIER, BASELINE, BASE = Arm("barrier", 0.5), Arm("baseline"), Arm("base")


@section
class Constancy:
    """Gate (c): `constant` is the baseline up to the learning rate, so under AdamW the two must agree."""

    metric: Name
    tolerance: Annotated[float, Field(gt=0)]  # of the log ratio constant / baseline
    because: Name


@section
class System:
    """What is trained and measured. Systems are never pooled."""

    title: Name  # completes "on ..."
    column: Name | None  # of the headline's table; None: shown on the claims' pages only
    members: list[Name]  # patterns of regimes; the number of a seed is the mean over members
    adapter: Name  # of its rows, unless an arm names another
    run: Run  # the run that decides
    seeds: Annotated[int, Field(ge=1)]  # exploratory seeds are 0 to seeds - 1
    sound: bool = False  # its samples are music: a metric that validity.json calls invalid decides nothing
    trained: Name | None = None  # a metric that must fall from `base` to `baseline`: gate (a); None: no untrained model
    constant: Constancy | None = None  # None: nothing is trained
    decides: bool = True  # False: shown, and no claim stands or falls by it


@section
class Control:
    """A positive control: an intervention that is known to act. Its effect is the mean of `plus` minus `minus`."""

    title: Name
    plus: Arms
    minus: Arms
    half: bool = False  # halve the effect: `plus` and `minus` act in opposite directions


@section
class On:
    """How an atom is measured on one system."""

    metric: Name
    minus_metric: Name | None = None  # of the subtracted arms; None: the same
    scale: Scale = "plain"  # log: x is a log ratio
    unit: str = ""  # of a plain number
    over: Literal["seeds", "pieces"] = "seeds"  # pieces: a given model's weights, interval by bootstrap over pieces
    members: list[Name] = field(default_factory=list)  # regimes; empty: all of the system's
    control: Name | None = None  # a key of `controls`
    control_acts: Acts = "along"  # the claim's direction; a frozen margin knows better
    paper: Size | None = None  # the paper's own figure in x's unit
    margin: Size | None = None  # in x's unit; None: from margins.yaml
    margin_because: Name | None = None
    decides: bool = True
    why_not: Name | None = None  # the reason, where it does not decide


@section
class Atom:
    """One quantity of a claim: what all kinds have in common."""

    needs_margin: ClassVar[bool] = False

    id: Name
    part: Name  # of the sentence, word for word
    label: Name  # in a cell of the headline
    statement: Name  # completes "we found that ..."
    direction: Direction
    on: dict[str, On]
    not_on: dict[str, Name] = field(default_factory=dict)  # system -> why not there
    decides: bool = True  # False: a stronger wording or a detail, shown with the claim
    why_not: Name | None = None

    @property
    def sign(self) -> int:
        """+1 where larger values speak for the statement, -1 where smaller ones do."""
        return -1 if self.direction == "lower" else 1

    def decides_on(self, system: str) -> bool:
        return self.decides and system in self.on and self.on[system].decides


@section
class Compared(Atom):
    """x = sign * (mean of `plus` - mean of `minus`), of the metric or its logarithm."""

    plus: Arms = field(default_factory=lambda: [BARRIER])
    minus: Arms = field(default_factory=lambda: [BASELINE])


@section
class Difference(Compared):
    """The sentence claims an effect."""

    needs_margin: ClassVar[bool] = True

    kind: Literal["difference"]
    mechanism: list[ArmText] = field(default_factory=list)  # other explanations, which replace the arms of `plus`
    pair: list[ArmText] = field(default_factory=list)  # plus, minus: the same comparison without the barrier


@section
class NoLess(Compared):
    """The sentence claims that nothing is lost: x = effect + margin."""

    needs_margin: ClassVar[bool] = True

    kind: Literal["no_less"]


@section
class Equal(Compared):
    """The sentence claims that nothing changes: the effect itself, two-sided."""

    needs_margin: ClassVar[bool] = True

    kind: Literal["equal"]


@section
class Bound(Atom):
    """x = sign * (value - bound), of the metric or its logarithm; the margin is 0."""

    kind: Literal["bound"]
    bound: float
    arms: Arms = field(default_factory=lambda: [BASELINE])


@section
class Intersection(Atom):
    """All of several bounds: x is the worst part at the uncorrected level, and enters the family once.

    The parts are the metrics `<metric>/<part>` of each system.
    """

    kind: Literal["intersection"]
    bound: float
    parts: Annotated[list[Name], Field(min_length=2)]
    arms: Arms = field(default_factory=lambda: [BASELINE])


AnyAtom: TypeAlias = Annotated[Difference | NoLess | Equal | Bound | Intersection, Field(discriminator="kind")]
KINDS = tuple(get_args(one.__dataclass_fields__["kind"].type)[0] for one in get_args(get_args(AnyAtom)[0]))


@section
class Algebra:
    """What needs no data: a proof, or a counterexample that a search finds."""

    statement: Name
    says: Literal["the sentence", "a tautology", "a stronger wording"]
    word: Literal["proved", "disproved"]  # what `proof` shows, or what a counterexample of `search` would show
    proof: Name | None = None  # a name in `predictions.proofs`
    search: Name | None = None  # a name in `predictions.counterexamples.searches`
    regime: Name = "analytic"  # of the search


@section
class Claim:
    """A sentence of the paper, in our words."""

    id: Name
    sentence: Name
    place: Name  # in the paper
    algebra: list[Algebra] = field(default_factory=list)
    atoms: list[AnyAtom] = field(default_factory=list)


@section
class Seeds:
    """The seeds first to last."""

    first: int
    last: int

    @property
    def seeds(self) -> list[int]:
        return list(range(self.first, self.last + 1))


@section
class Rules:
    """The numbers of the judge, and what happens when something goes wrong."""

    level: Annotated[float, Field(gt=0, lt=0.5)]  # of a family: its intervals are at 1 - level / atoms
    control_level: Annotated[float, Field(gt=0, lt=0.5)]  # one-sided p of a positive control
    most_atoms: Annotated[int, Field(ge=1)]  # deciding, of a system
    fewest_seeds: Annotated[int, Field(ge=2)]
    resamples: Annotated[int, Field(ge=1000)]  # of the bootstrap over pieces
    lost_seed: str = ""  # what happens then, in words
    failed_gate: str = ""
    crash: str = ""


@section
class Margin:
    """A frozen margin: a quarter of what the positive control did on seeds that judge nothing, and its direction."""

    margin: Size | None  # in x's unit; None where the control was not detected
    acts: Acts | None  # the control's direction, which the gate asks for; None where it was not detected
    control: float  # its effect in x's unit, positive in the claim's direction
    error: float  # standard error over the seeds
    p: float  # two-sided
    reach: float | None  # what the barrier reaches by linear response, in margins; None where it has no spread
    because: Name


@section
class Registry:
    """The pre-registration."""

    rules: Rules
    confirmatory: Seeds  # never used during development
    systems: dict[str, System]
    claims: list[Claim]
    freezing: Seeds | None = None  # freeze the margins, and nothing else
    controls: dict[str, Control] = field(default_factory=dict)
    margins: dict[str, dict[str, Margin]] = field(default_factory=dict)  # atom -> system
    forecast: str | None = None  # SHA-256 of docs/forecast.md, which says what to expect of Medium before it was run

    @property
    def atoms(self) -> list[AnyAtom]:
        return [atom for claim in self.claims for atom in claim.atoms]

    def deciding(self, system: str) -> list[AnyAtom]:
        """The family of a system: the atoms whose words decide claims there, whatever is measured or lost."""
        return [atom for atom in self.atoms if atom.decides_on(system)]

    def system(self, regime: str) -> str | None:
        """The system that a regime belongs to, None if it belongs to none."""
        return next((name for name, one in self.systems.items() if matches(one.members, regime)), None)

    def frozen(self, atom: Atom, system: str) -> Margin | None:
        return self.margins.get(atom.id, {}).get(system)

    def control_acts(self, atom: Atom, system: str) -> Acts:
        """The direction in which the atom's positive control must act: the frozen one, else the registered one."""
        frozen = self.frozen(atom, system)
        return (frozen.acts if frozen else None) or atom.on[system].control_acts

    def margin(self, atom: Atom, system: str) -> tuple[float | None, str]:
        """The atom's margin in x's unit and the reason; None where the registry has no number."""
        on, frozen = atom.on[system], self.frozen(atom, system)
        if not atom.needs_margin:
            return 0.0, "the bound is itself the margin"
        if on.margin is not None:
            return on.margin, on.margin_because or "registered number"
        return (frozen.margin, frozen.because) if frozen else (None, "no margin is frozen")


def matches(patterns: Iterable[str], regime: str) -> bool:
    return any(fnmatchcase(regime, pattern) for pattern in patterns)
