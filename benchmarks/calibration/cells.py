"""How often the statistics err where the truth is known. A cell is (number of seeds, shape, correlation)."""

from functools import partial

import numpy as np

from benchmarks.calibration import plant
from eisbach.seeds import numpy_generator
from predictions.judge import statistics

SEEDS = (9, 16, 24)
CORRELATIONS = (0.9, 0.0, 0.99)
FAMILY = 4  # hypotheses that are judged together
MARGIN = 0.5  # baseline-seed standard deviations
CHUNK = 20  # experiments at once: 24 seeds have 65,535 subsets each, and small arrays stay in the cache


def differences(effect: float, cell: tuple, repeats: int, purpose: str) -> np.ndarray:
    """`[repeats, n]` paired differences of two arms, the second shifted by `effect`."""
    n, shape, correlation = cell
    values = plant.arms([0.0, effect], n, correlation, shape, repeats, numpy_generator(0, purpose, *cell))
    return values[:, 1] - values[:, 0]


def chunked(function, *arrays: np.ndarray) -> np.ndarray:
    """Apply `function` to slices of the arrays' first axis and concatenate its results along their last axis."""
    count = -(-len(arrays[0]) // CHUNK)
    slices = zip(*(np.array_split(array, count) for array in arrays), strict=True)
    return np.concatenate([function(*part) for part in slices], axis=-1)


def cell_rates(cell: tuple, repeats: int) -> dict[str, float]:
    """Shares of `repeats` experiments.

    - `false_effect`: any of a family of zero effects has a Holm-corrected p below 0.05
    - `false_equivalence`: any of a family of effects as large as the margin is called equivalent to zero
    - `false_either`: either error, in a family of which half is zero and half as large as the margin
    - `covered`, `covered_bca`: the 95 % interval of a difference contains its true mean
    - `covered_alone`: the same for one arm's mean, whose values are as skewed as the arm
    """
    half = FAMILY // 2
    experiments = {
        "effect": [differences(0.0, cell, repeats, f"nil {k}") for k in range(FAMILY)],
        "equivalence": [differences(MARGIN, cell, repeats, f"margin {k}") for k in range(FAMILY)],
    }
    wrong = {name: [judged(values) for values in family] for name, family in experiments.items()}
    wrong["either"] = wrong["effect"][:half] + wrong["equivalence"][half:]
    found = {}
    for name, family in wrong.items():
        p, against = statistics.holm(*np.stack(family, axis=-1))
        nil = half if name == "either" else FAMILY * (name == "effect")
        false = np.concatenate([p[:, :nil], against[:, nil:]], axis=1) < statistics.ALPHA
        found[f"false_{name}"] = false.any(1).mean()
    return found | coverage(cell, repeats)


def judged(values: np.ndarray) -> np.ndarray:
    """`[2, repeats]`: p for an effect, p of equivalence."""
    return chunked(lambda x: np.stack([statistics.sign_flip_p(x), statistics.tost_p(x, MARGIN)]), values)


def coverage(cell: tuple, repeats: int) -> dict[str, float]:
    found = {}
    values = differences(0.0, cell, repeats, "coverage")
    low, high = chunked(lambda x: np.stack(statistics.sign_flip_interval(x)), values)
    found["covered"] = ((low <= 0) & (high >= 0)).mean()
    low, high = chunked(lambda x: np.stack(statistics.bca_interval(x, seed=0, resamples=1999)), values)
    found["covered_bca"] = ((low <= 0) & (high >= 0)).mean()
    alone = plant.noise(cell[1], (repeats, cell[0]), numpy_generator(0, "alone", *cell))
    low, high = chunked(lambda x: np.stack(statistics.sign_flip_interval(x)), alone)
    found["covered_alone"] = ((low <= 0) & (high >= 0)).mean()
    return found


def power(cell: tuple, repeats: int) -> dict[str, float]:
    """Share of second experiments labelled supported whose true effect is what the first one reported as detectable.

    `power`: in a family of `FAMILY` whose margin is `MARGIN`; `power_single`: without margin and family. A center is
    rejected if it lies outside the interval, and the interval shifts with the effect, so one simulation serves both.
    """
    n, _, correlation = cell
    deviation = differences(0.0, cell, repeats, "first").std(axis=-1, ddof=1)
    second = differences(0.0, cell, repeats, "second")
    low, tighter = (
        chunked(lambda x, level=level: statistics.sign_flip_bound(x, level), second)
        for level in (statistics.ALPHA / 2, statistics.ALPHA / 2 / FAMILY)
    )
    found = {}
    margin = MARGIN * np.sqrt(2 * (1 - correlation))  # in deviations of the difference, so that every cell has one
    for name, beyond, tests, bound in (("power", margin, FAMILY, tighter), ("power_single", 0.0, 1, low)):
        reported = chunked(partial(statistics.detectable_effect, n, margin=beyond, tests=tests), deviation)
        found[name] = ((reported + bound > 0) & (reported + low > beyond)).mean()
    return found
