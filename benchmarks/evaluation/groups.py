"""Groups of real clips of which it is known which have more of something: for clips, and for sets of clips."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from eisbach.metrics.clip_features import Heard

PROMPTS, NOISES = 4, 2  # a set has as many as the default profile draws
Versions = dict[str, list[Heard]]  # real, near_copy, shuffled, phase_randomised: the same clips in the same order
Place = tuple[str, int]  # a version and a row
Set = list[list[Place]]  # by prompt and noise


@dataclass(frozen=True)
class Pair:
    """Clips or sets of which `high` has more; `paired`: each of `low` was made from the one of `high` at its place."""

    high: list
    low: list
    paired: bool


def of_clips(facts: pd.DataFrame) -> dict[str, Pair]:
    """Pairs of lists of places. `facts` has a row per clip: `contrast_class`, `shape`."""
    rows = np.arange(len(facts))
    kind, echoes = facts["contrast_class"].to_numpy(), facts["shape"].to_numpy() == "echoes"
    arranged = kind != "flat"  # a flat clip follows its shape hardly or not at all

    def version(name: str, chosen: np.ndarray = rows) -> list[Place]:
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
    """Pairs of lists of disjoint sets. `facts` has a row per clip: `piece`, `contrast_class`, `shape`."""
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


def values(pair: Pair, measure: Callable[[Place | Set], dict[str, float]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    return pd.DataFrame(map(measure, pair.high)), pd.DataFrame(map(measure, pair.low))


def _of(rows: np.ndarray, name: str = "real") -> Set:
    return [_take(group, name) for group in rows]


def _take(rows: np.ndarray, name: str) -> list[Place]:
    return [(name, row) for row in rows]


def _couples(facts: pd.DataFrame, column: str) -> list[tuple[int, int]]:
    """Disjoint pairs of row labels that agree in `column`, as many values of it one after the other as there are."""
    by_value = [list(zip(*[iter(group)] * 2, strict=False)) for group in facts.groupby(column).groups.values()]
    turns = range(max(map(len, by_value)))
    return [couples[turn] for turn in turns for couples in by_value if turn < len(couples)]


def _in_sets(couples: list[tuple[int, int]], size: int) -> Iterator[list[tuple[int, int]]]:
    """`size` couples a set, neighbours in the list: of different values, as long as these last."""
    return zip(*[iter(couples)] * size, strict=False)
