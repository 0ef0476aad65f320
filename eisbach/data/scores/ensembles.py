"""The ensembles that play the scores, and the pitch ranges of their instruments."""

from dataclasses import dataclass

# General MIDI program (from 0) -> lowest and highest MIDI pitch
RANGES = {
    0: (28, 100), 4: (28, 96), 6: (29, 89), 11: (53, 89), 12: (36, 96), 19: (36, 96), 21: (41, 93), 24: (40, 83),
    40: (55, 96), 41: (48, 84), 42: (36, 72), 46: (29, 96), 48: (36, 93), 52: (40, 84), 56: (54, 82), 57: (38, 72),
    58: (28, 58), 60: (41, 77), 64: (56, 87), 65: (49, 80), 66: (44, 75), 67: (37, 68), 68: (58, 89), 70: (34, 72),
    71: (50, 89), 73: (60, 96), 74: (48, 93),
}  # fmt: skip


@dataclass(frozen=True)
class Ensemble:
    """A group of instruments."""

    name: str
    phrase: str  # completes "played by ..."
    programs: tuple[int, ...]  # General MIDI, from high to low


ENSEMBLES = (
    Ensemble("string quartet", "a string quartet", (40, 40, 41, 42)),
    Ensemble("string orchestra", "a string orchestra", (48,)),
    Ensemble("piano", "a grand piano", (0,)),
    Ensemble("electric piano", "an electric piano", (4,)),
    Ensemble("harpsichord", "a harpsichord", (6,)),
    Ensemble("organ", "a church organ", (19,)),
    Ensemble("accordion", "an accordion", (21,)),
    Ensemble("choir", "a wordless choir", (52,)),
    Ensemble("brass", "a brass ensemble of trumpets, horn, trombone and tuba", (56, 56, 60, 57, 58)),
    Ensemble("woodwinds", "a woodwind quartet of flute, oboe, clarinet and bassoon", (73, 68, 71, 70)),
    Ensemble("saxophones", "a saxophone quartet", (64, 65, 66, 67)),
    Ensemble("recorders", "a recorder consort", (74,)),
    Ensemble("guitar", "nylon-string guitars", (24,)),
    Ensemble("harp", "a harp", (46,)),
    Ensemble("marimba", "a marimba", (12,)),
    Ensemble("vibraphone", "a vibraphone", (11,)),
)

# Left out of the base split, so that fine-tuning has something to learn, in flat and in high-contrast clips alike.
NEW_AFTER_BASE = ("accordion", "saxophones", "guitar", "marimba")


def base_ensembles() -> tuple[Ensemble, ...]:
    """The ensembles of the base split."""
    return tuple(ensemble for ensemble in ENSEMBLES if ensemble.name not in NEW_AFTER_BASE)


def programs(ensemble: Ensemble, parts: int) -> list[int]:
    """One program per part, from high to low, spread over the ensemble; outer parts get the outer instruments."""
    last = len(ensemble.programs) - 1
    return [ensemble.programs[round(part * last / max(parts - 1, 1))] for part in range(parts)]


def to_range(pitches: list[int], program: int) -> list[int]:
    """Transpose pitches by octaves into the instrument's range: first the whole line, then single notes outside it."""
    low, high = RANGES[program]
    middle = sorted(pitches)[len(pitches) // 2]
    while middle < low + 5:
        middle, pitches = middle + 12, [pitch + 12 for pitch in pitches]
    while middle > high - 5:
        middle, pitches = middle - 12, [pitch - 12 for pitch in pitches]
    return [_fold(pitch, low, high) for pitch in pitches]


def _fold(pitch: int, low: int, high: int) -> int:
    if pitch < low:
        return pitch + 12 * -(-(low - pitch) // 12)
    return pitch - 12 * max(0, -(-(pitch - high) // 12))
