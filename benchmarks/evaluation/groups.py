"""Known groups of real clips, or of sets of clips: pairs of which one group is known to have more of a property."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from eisbach.metrics.clip_features import ClipFeatures

PROMPTS, NOISES = 4, 2  # of a set, as in the default profile
Versions = dict[str, list[ClipFeatures]]  # real, near_copy, shuffled, phase_randomised: the same clips in one order
ClipIndex = tuple[str, int]  # a version and a row of it
Set = list[list[ClipIndex]]  # by prompt and noise


@dataclass(frozen=True)
class Pair:
    """Two groups of clips or sets; `high` has more of the property.

    `paired`: the i-th member of `low` was made from the i-th member of `high`.
    """

    high: list
    low: list
    paired: bool


def of_clips(facts: pd.DataFrame) -> dict[str, Pair]:
    """Pairs of groups of clips. `facts` has a row per clip with `contrast_class` and `shape`."""
    rows = np.arange(len(facts))
    kind, echoes = facts["contrast_class"].to_numpy(), facts["shape"].to_numpy() == "echoes"
    arranged = kind != "flat"  # flat clips hardly follow their shape

    def version(name: str, chosen: np.ndarray = rows) -> list[ClipIndex]:
        return [(name, row) for row in chosen]

    alternating = rows[echoes & arranged]
    found = {
        "contrast_flat": Pair(version("real", rows[kind == "contrast"]), version("real", rows[kind == "flat"]), False),
        "echoes_others": Pair(version("real", alternating), version("real", rows[~echoes & arranged]), False),
    }
    for name in ("shuffled", "phase_randomised"):
        found[f"real_{name}"] = Pair(version("real"), version(name), True)
        found[f"echoes_{name}"] = Pair(version("real", alternating), version(name, alternating), True)
    return found


def of_sets(facts: pd.DataFrame) -> dict[str, Pair]:
    """Pairs of groups of disjoint sets. `facts` has a row per clip with `piece`, `contrast_class` and `shape`."""
    by_piece = facts["piece"].argsort(kind="stable").to_numpy()
    count = len(facts) // (PROMPTS * NOISES)
    strangers = [by_piece[start::count][: PROMPTS * NOISES].reshape(PROMPTS, NOISES) for start in range(count)]
    distinct = [_of(rows) for rows in strangers]
    duplicated = [[[("real", one), ("near_copy", one)] for one, _ in rows] for rows in strangers]
    shared = [[_take(rows[0], name) for name in ("real", "near_copy") * (PROMPTS // 2)] for rows in strangers]
    repeated = [_of(np.array(pairs)) for pairs in _in_sets(_couples(facts, "piece"), PROMPTS)]
    arranged = facts[facts["contrast_class"] == "contrast"]
    alike = [np.array(pairs) for pairs in _in_sets(_couples(arranged, "shape"), 2)]
    return {
        "distinct_duplicated": Pair(distinct, duplicated, True),
        "duplicated_distinct": Pair(duplicated, distinct, True),
        "own_shared": Pair(distinct, shared, True),
        "pieces_repeated": Pair(distinct, repeated, False),
        "real_phase_randomised": Pair(distinct, [_of(rows, "phase_randomised") for rows in strangers], True),
        "shape_mixed": Pair([_of(rows) for rows in alike], [_of(rows.T) for rows in alike], True),
    }


def values(pair: Pair, measure: Callable[[ClipIndex | Set], dict[str, float]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The metrics of all members of `pair.high` and of `pair.low`, a row each."""
    return pd.DataFrame(map(measure, pair.high)), pd.DataFrame(map(measure, pair.low))


def _of(rows: np.ndarray, name: str = "real") -> Set:
    return [_take(group, name) for group in rows]


def _take(rows: np.ndarray, name: str) -> list[ClipIndex]:
    return [(name, row) for row in rows]


def _couples(facts: pd.DataFrame, column: str) -> list[tuple[int, int]]:
    """Disjoint pairs of row labels with equal values in `column`; neighbouring pairs differ in it where possible."""
    by_value = [list(zip(*[iter(group)] * 2, strict=False)) for group in facts.groupby(column).groups.values()]
    rounds = range(max(map(len, by_value)))
    return [couples[index] for index in rounds for couples in by_value if index < len(couples)]


def _in_sets(couples: list[tuple[int, int]], size: int) -> Iterator[list[tuple[int, int]]]:
    """Consecutive groups of `size` couples; a remainder is left out."""
    return zip(*[iter(couples)] * size, strict=False)
