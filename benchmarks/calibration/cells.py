"""How often the statistics are wrong where the truth is known; a cell: number of seeds, shape, correlation."""

import numpy as np

from benchmarks.calibration import plant
from eisbach.seeds import numpy_generator
from predictions import statistics

SEEDS = (9, 16, 24)
CORRELATIONS = (0.9, 0.0, 0.99)
FAMILY = 4  # hypotheses that are judged together
MARGIN = 0.5  # baseline-seed standard deviations
CHUNK = 500  # experiments at once: 24 seeds have 65,535 subsets each


def differences(effect: float, cell: tuple, repeats: int, purpose: str) -> np.ndarray:
    """`[repeats, n]` paired differences of two arms, the second shifted by `effect`."""
    n, shape, correlation = cell
    values = plant.arms([0.0, effect], n, correlation, shape, repeats, numpy_generator(0, purpose, *cell))
    return values[:, 1] - values[:, 0]


def chunked(function, *arrays: np.ndarray) -> np.ndarray:
    """`function` over slices of the arrays' first axis; its results put together along their last."""
    count = -(-len(arrays[0]) // CHUNK)
    slices = zip(*(np.array_split(array, count) for array in arrays), strict=True)
    return np.concatenate([function(*part) for part in slices], axis=-1)


def cell_rates(cell: tuple, repeats: int) -> dict[str, float]:
    """Shares of `repeats` experiments.

    - `false_effect`: any of a family of nil effects has a Holm-corrected p below 0.05
    - `false_equivalence`: any of a family whose effects equal the margin is found equivalent to nothing
    - `false_either`: any of both, in a family of which half is nil and half equals the margin
    - `covered`, `covered_bca`: the 95 % interval of a difference holds its true mean
    - `covered_alone`: the same for one arm's mean, whose values are as skewed as the arm
    - `power`: a second experiment, whose true effect is the minimum detectable effect that the first one reported, is
      labelled supported in a family of `FAMILY`; `power_single`: without margin and family
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
    return {
        **found,
        **coverage(cell, repeats),
        "power": power(cell, repeats, MARGIN, FAMILY),
        "power_single": power(cell, repeats, 0.0, 1),
    }


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


def power(cell: tuple, repeats: int, margin: float, tests: int) -> float:
    """Share of second experiments labelled supported at the effect which the first called detectable."""
    n, _, correlation = cell
    margin *= np.sqrt(2 * (1 - correlation))  # in deviations of the difference: it matters in every cell
    first = differences(0.0, cell, repeats, "first")
    reported = statistics.detectable_effect(n, first.std(axis=-1, ddof=1), margin, tests)
    second = differences(0.0, cell, repeats, "second") + reported[:, None]
    p = chunked(statistics.sign_flip_p, second)
    low = chunked(lambda x: statistics.sign_flip_bound(x, statistics.ALPHA / 2), second)
    return ((p * tests < statistics.ALPHA) & (low > margin)).mean()
