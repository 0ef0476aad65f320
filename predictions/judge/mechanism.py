"""Whether an effect that is there needs each sample's own weight: the barrier minus other explanations."""

from typing import TYPE_CHECKING

from eisbach.arms import Arm
from predictions.judge import quantities, words
from predictions.judge.effects import effect_of, reason_of, unbounded
from predictions.judge.outcomes import Missing
from predictions.judge.verdict import Explanation, Mechanism
from predictions.registry.schema import Difference

if TYPE_CHECKING:
    from predictions.judge.judge import Run


def mechanism(run: "Run", atom: Difference, margin: float | None) -> Mechanism:
    """The barrier's effect minus each control's, with the words of a difference and the same margin.

    "sample-specific" if all differences hold or are present, "explained by" the first control whose difference is
    absent, "not tested" where a control was not trained that the label would need.
    """
    found = [_explanation(run, atom, arm, margin) for arm in atom.mechanism]
    if atom.pair:
        found.append(_pair(run, atom, margin))
    words_found = {one.word for one in found}
    by = next((one.arm for one in found if one.word == "absent"), None)
    if by is not None:
        label = "explained by"
    elif words_found <= {"holds", "present"}:
        label = "sample-specific"
    else:
        label = "not tested" if words_found <= {"holds", "present", "not tested"} else "undecided"
    return Mechanism(label=label, by=by, controls=tuple(found))


def _explanation(run: "Run", atom: Difference, arm: Arm, margin: float | None) -> Explanation:
    return _read(run, atom, str(arm), margin, atom.plus, [arm], 1.0)


def _pair(run: "Run", atom: Difference, margin: float | None) -> Explanation:
    """The comparison minus the same comparison without the barrier: the interaction of a 2x2 design."""
    plus, minus = [*atom.plus, atom.pair[1]], [*atom.minus, atom.pair[0]]
    return _read(run, atom, f"{atom.pair[0]} against {atom.pair[1]}", margin, plus, minus, 2.0)


def _read(run: "Run", atom: Difference, name: str, margin, plus: list[Arm], minus: list[Arm], factor) -> Explanation:
    try:
        own = quantities.contrast(run.tables, atom.on[run.name], plus, minus, partial=True).scaled(factor * atom.sign)
        effect = effect_of(own, run.level, run.registry.rules.fewest_seeds)
    except Missing as missing:
        return Explanation(arm=name, word="not tested", below=False, reason=str(missing), effect=None)
    read = words.difference(*unbounded(effect), margin)
    reason = reason_of(read, effect, margin)
    return Explanation(arm=name, word=read.word, below=read.below, reason=reason, effect=effect)
