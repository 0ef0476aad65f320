"""How often each word is printed, and how often a false one, where the truth is known.

An interval shifts with the truth and scales with the spread, so one simulation of a number of seeds and a shape serves
every truth and spread. Truths and spreads are in margins: d = 1.
"""

import numpy as np

from benchmarks.calibration import plant
from eisbach.seeds import numpy_generator
from predictions.judge import statistics, words
from predictions.judge.words import Read

SEEDS = (9, 16, 24)
TRUTHS = (0.0, 0.5, 1.0, 2.0, -1.0)
SPREADS = (0.25, 0.5, 1.0, 2.0)  # standard deviation of the seeds' paired differences
FAMILY = 12  # deciding atoms, the most that the registry allows
LEVEL = 0.05
SEEN = 0.9  # share of experiments in which an effect of d / 2 is to be seen
TRIED = (8, 9, 10, 12, 14, 16, 20, 24, 32, 48, 64, 96)  # numbers of seeds
CHUNK = 40  # experiments at once: 24 seeds have 65,535 subsets each, and small arrays stay in the cache
WORD = {0.0: "absent", 0.5: "present", 2.0: "holds", -1.0: "opposite"}  # at a truth of exactly d none can be so sure


def intervals(shape: str, n: int, repeats: int, purpose: str) -> tuple[np.ndarray, np.ndarray]:
    """Both ends `[repeats]` of the family's interval, for differences of mean 0 and variance 1."""
    values = plant.differences(shape, (repeats, n), numpy_generator(0, purpose, n, shape))
    found = [
        statistics.sign_flip_interval(part, LEVEL / FAMILY) for part in np.array_split(values, -(-repeats // CHUNK))
    ]
    low, high = (np.concatenate(ends) for ends in zip(*found, strict=True))
    return low, high


def false(read: Read, truth: float) -> bool:
    """Whether a word, or its "below d", is false; the margin is 1."""
    wrong = {"holds": truth <= 1, "present": truth <= 0, "absent": abs(truth) >= 1, "opposite": truth >= 0}
    return wrong.get(read.word, False) or (read.below and abs(truth) >= 1)


def rates(shape: str, n: int, repeats: int) -> dict[str, dict[str, float]]:
    """By "truth, spread": the share of atoms with each word, and of families of twelve with any false word."""
    low, high = intervals(shape, n, repeats * FAMILY, "words")
    found = {}
    for truth in TRUTHS:
        for spread in SPREADS:
            ends = zip(truth + spread * low, truth + spread * high, strict=True)
            reads = [words.difference(float(one), float(other), 1.0) for one, other in ends]
            wrong = np.array([false(read, truth) for read in reads]).reshape(repeats, FAMILY)
            printed = np.array([read.word for read in reads])
            shares = {str(word): float((printed == word).mean()) for word in np.unique(printed)}
            found[f"{truth:g}, {spread:g}"] = {"false": float(wrong.any(1).mean()), **shares}
    return found


def seeds_to_see(shape: str, repeats: int) -> dict[str, int | None]:
    """By spread: the least number of seeds tried with which an effect of d / 2 is present in 9 of 10 experiments."""
    lows = {n: intervals(shape, n, repeats, "seen")[0] for n in TRIED}
    return {
        f"{spread:g}": next((n for n, low in lows.items() if (0.5 + spread * low > 0).mean() >= SEEN), None)
        for spread in SPREADS
    }
