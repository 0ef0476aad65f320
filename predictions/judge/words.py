"""The word of a quantity, read off its interval and margin; and the word of a claim, read off its atoms.

An interval is that of x, the number of a seed in the claim's direction, at the level of its family. Every interval has
exactly one word: the first line of the table in docs/predictions.md that fits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Word: TypeAlias = Literal[
    "holds", "present", "absent", "opposite", "kept", "lost", "equal", "unequal", "fails",
    "undecided", "insensitive", "not tested",
]  # fmt: skip
WORDS: tuple[Word, ...] = get_args(Word)
GOOD, PARTLY, BAD = ("holds", "kept", "equal"), ("present",), ("absent", "opposite", "lost", "unequal", "fails")
UNSEEN = ("absent", "kept", "equal", "undecided")  # what an insensitive assay cannot say

ClaimWord: TypeAlias = Literal["holds", "fails", "partly", "undecided", "insensitive", "not tested"]


@dataclass(frozen=True)
class Read:
    """A word, and whether the effect that it names is shown to be smaller than the margin."""

    word: Word
    below: bool = False


def difference(low: float, high: float, margin: float | None) -> Read:
    """An effect is claimed. Without a margin an effect can be present or opposite, and its absence cannot be shown."""
    if margin is None:
        return Read("present" if low > 0 else "opposite" if high < 0 else "undecided")
    if low > margin:
        return Read("holds")
    if low > 0:
        return Read("present", below=high < margin)
    if high < 0:
        return Read("opposite", below=low > -margin)
    return Read("absent" if -margin < low and high < margin else "undecided")


def bound(low: float, high: float, margin: float | None = 0.0) -> Read:
    """A value is claimed to lie beyond a bound; x is its distance from the bound. The margin is always 0."""
    return Read("holds" if low > 0 else "fails" if high < 0 else "undecided")


def no_less(low: float, high: float, margin: float | None) -> Read:
    """Nothing is said to be lost: the effect may be as low as minus the margin."""
    if margin is None:
        return Read("undecided")
    return Read("kept" if low > -margin else "lost" if high < -margin else "undecided")


def equal(low: float, high: float, margin: float | None) -> Read:
    """Nothing is said to change: the effect lies within the margin on both sides."""
    if margin is None:
        return Read("undecided")
    if -margin < low and high < margin:
        return Read("equal")
    return Read("unequal" if low > margin or high < -margin else "undecided")


READ = {"difference": difference, "bound": bound, "intersection": bound, "no_less": no_less, "equal": equal}


def gated(read: Read, *, sensitive: bool) -> Read:
    """Where the assay is insensitive, only what is seen stays: an effect, or a loss."""
    return read if sensitive or read.word not in UNSEEN else Read("insensitive")


def of_claim(words: Sequence[Word]) -> ClaimWord:
    """The word of a claim on a system, from the words of its deciding atoms; `not tested` for none."""
    if words and all(word in GOOD for word in words):
        return "holds"
    if any(word in BAD for word in words):
        return "fails"
    if any(word in GOOD + PARTLY for word in words):
        return "partly"
    order: tuple[ClaimWord, ...] = ("undecided", "insensitive")
    return next((word for word in order if word in words), "not tested")
