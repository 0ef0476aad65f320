"""verdicts.json as the pages need it: what each family of regimes says of a claim, and its hypotheses with verdicts.

Nothing is pooled: a family shows how many of its verdicts carry each label, and one of them as its headline.
"""

from collections import Counter
from dataclasses import dataclass

from predictions.report.theme import LABELS, REGIMES, sign

# Families of hypotheses by which a claim stands or falls; exact ones and wholes have none, and of universal ones those
# that say what the paper says. One counterexample to a stronger sentence is reported beside the claim.
DECIDING = ("primary", "")
NOT_CLAIMED = "not claimed"


@dataclass(frozen=True)
class Line:
    """One claim on one family of regimes."""

    family: str
    labels: tuple[tuple[str, int], ...]  # effect labels of its deciding verdicts, most telling first, with counts
    mechanisms: tuple[tuple[str, int], ...]
    headline: dict  # the verdict whose numbers are shown


@dataclass(frozen=True)
class Hypothesis:
    """One registered hypothesis, its verdicts where it was planned, and why it was not planned elsewhere."""

    id: str
    verdicts: tuple[dict, ...]
    skipped: tuple[tuple[str, str], ...]  # (regime, reason)

    @property
    def plan(self) -> dict:
        """What was registered is the same in every verdict."""
        return self.verdicts[0]


@dataclass(frozen=True)
class Claim:
    """One sentence of the paper with everything that was found about it."""

    id: str
    number: int
    sentence: str
    place: str
    lines: tuple[Line, ...]
    untested: tuple[str, ...]  # families on which nothing that was planned could be tested
    wordings: tuple[tuple[str, int], ...]  # labels of universal statements that say more than the claim
    hypotheses: tuple[Hypothesis, ...]

    @property
    def page(self) -> str:
        return f"claim-{self.number}.html"

    @property
    def overall(self) -> str:
        return _overall({label for line in self.lines for label, _ in line.labels})

    @property
    def mechanism(self) -> str:
        """Empty where no mechanism is claimed."""
        labels = {label for line in self.lines for label, _ in line.mechanisms}
        return _overall(labels) if labels else ""


def _overall(labels: set[str]) -> str:
    """One label over all regimes: a decided one only where nothing decided says otherwise, else "mixed"."""
    decided = labels & {"supported", "refuted"}
    if len(decided) == 2:
        return "mixed"
    return min(decided or labels or {"not tested"}, key=lambda label: sign(label).rank)


def claims(document: dict) -> list[Claim]:
    return [_claim(number, claim) for number, claim in enumerate(document["claims"], 1)]


def _claim(number: int, claim: dict) -> Claim:
    verdicts = claim["verdicts"]
    planned = [verdict for verdict in verdicts if verdict["planned"]]
    deciding = [verdict for verdict in planned if verdict["family"] in DECIDING] or planned
    families = sorted({family(verdict) for verdict in deciding}, key=order)
    lines = [_line(name, [verdict for verdict in deciding if family(verdict) == name]) for name in families]
    tested = [line for line in lines if line and any(label != "not tested" for label, _ in line.labels)]
    ids = dict.fromkeys(verdict["hypothesis"] for verdict in verdicts)
    return Claim(
        claim["id"],
        number,
        claim["sentence"],
        claim["place"],
        tuple(tested),
        tuple(name for name in families if name not in {line.family for line in tested}),
        _counted(one["effect_label"] for one in planned if one["kind"] == "universal" and one not in deciding),
        tuple(_hypothesis(name, [verdict for verdict in verdicts if verdict["hypothesis"] == name]) for name in ids),
    )


def _line(name: str, verdicts: list[dict]) -> Line | None:
    if not verdicts:
        return None
    mechanisms = [verdict["mechanism_label"] for verdict in verdicts if verdict["mechanism_label"] != NOT_CLAIMED]
    headline = min(verdicts, key=lambda verdict: (sign(verdict["effect_label"]).rank, verdict["kind"] == "all"))
    return Line(name, _counted(verdict["effect_label"] for verdict in verdicts), _counted(mechanisms), headline)


def _hypothesis(name: str, verdicts: list[dict]) -> Hypothesis:
    planned = [verdict for verdict in verdicts if verdict["planned"]]
    skipped = tuple((verdict["regime"], verdict["reason"]) for verdict in verdicts if not verdict["planned"])
    return Hypothesis(name, tuple(planned or verdicts), skipped)


def _counted(labels) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(labels).items(), key=lambda item: sign(item[0]).rank))


def family(verdict: dict) -> str:
    return verdict["regime"].partition("/")[0]


def order(regime: str) -> tuple[int, str]:
    """Families as in `looks.REGIMES`, the unknown last; within a family by name."""
    known, name = list(REGIMES), regime.partition("/")[0]
    return (known.index(name) if name in known else len(known), regime)


def tally(found: list[Claim]) -> dict[str, int]:
    """How many claims have each overall label, in the order of the labels."""
    counts = Counter(claim.overall for claim in found)
    return {label: counts[label] for label in LABELS if counts[label]}


def words(counted: tuple[tuple[str, int], ...]) -> str:
    """`refuted (2), inconclusive`: labels with how often, where more than once."""
    return ", ".join(label if count == 1 else f"{label} ({count})" for label, count in counted)
