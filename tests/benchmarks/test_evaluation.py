"""The groups of known structure and diversity, and the decomposition that decides how many samples are drawn."""

from itertools import chain

import numpy as np
import pandas as pd
import pytest

from benchmarks.evaluation import groups, variance


@pytest.fixture(scope="module")
def facts():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "piece": [f"piece {row // 2}" for row in range(80)],
            "contrast_class": rng.choice(["flat", "middle", "contrast"], 80),
            "shape": rng.choice(["echoes", "swell", "dip", "step up"], 80),
        }
    )


def rows(part: list) -> list[int]:
    return [row for group in part for _, row in group]


def test_sets_are_disjoint_and_of_different_pieces(facts):
    pairs = groups.of_sets(facts)
    for name, pair in pairs.items():
        for sets in (pair.high, pair.low):
            used = [set(rows(one)) for one in sets]
            assert sum(map(len, used)) == len(set(chain(*used))), name
        assert not pair.paired or len(pair.high) == len(pair.low)
    for one in pairs["distinct_duplicated"].high:
        assert len(set(facts["piece"][rows(one)])) == groups.PROMPTS * groups.NOISES == 8


def test_what_is_known_of_each_pair_of_sets_holds(facts):
    pairs = groups.of_sets(facts)
    for one in pairs["distinct_duplicated"].low:
        assert [[name for name, _ in group] for group in one] == [["real", "near_copy"]] * 4
        assert all(first[1] == second[1] for first, second in one)
    for one in pairs["pieces_repeated"].low:
        assert all(facts["piece"][a] == facts["piece"][b] for (_, a), (_, b) in one)
    for one, other in zip(pairs["shape_mixed"].high, pairs["shape_mixed"].low, strict=True):
        assert all(facts["shape"][a] == facts["shape"][b] for (_, a), (_, b) in one)
        assert sorted(rows(one)) == sorted(rows(other))
    for one in pairs["own_shared"].low:
        assert len({frozenset(row for _, row in group) for group in one}) == 1


def test_echoes_are_told_from_shapes_that_do_not_alternate_and_flat_clips_have_none(facts):
    pair = groups.of_clips(facts)["echoes_others"]
    assert set(facts["shape"][[row for _, row in pair.high]]) == {"echoes"}
    assert "echoes" not in set(facts["shape"][[row for _, row in pair.low]])
    assert "flat" not in set(facts["contrast_class"][[row for _, row in pair.high + pair.low]])


def test_components_are_those_that_were_put_in():
    rng = np.random.default_rng(0)
    parts = {"seed": 0.5, "prompt": 2.0, "seed_prompt": 0.3, "noise": 1.0}
    found = []
    for _ in range(30):
        draw = {name: np.sqrt(parts[name]) * rng.standard_normal(shape) for name, shape in (
            ("seed", (12, 1, 1)), ("prompt", (1, 10, 1)), ("seed_prompt", (12, 10, 1)), ("noise", (12, 10, 3))
        )}  # fmt: skip
        found.append(variance.components(sum(draw.values())))
    for name, value in parts.items():
        assert np.mean([one[name] for one in found]) == pytest.approx(value, rel=0.15), name


def test_the_best_number_is_where_a_given_time_buys_most():
    gap = {"seed": 1.0, "prompt": 0.0, "seed_prompt": 0.0, "noise": 20.0}
    costs = [variance._cost(gap, prompts, 1) for prompts in range(1, 200)]
    assert np.argmin(costs) + 1 == round(variance.best_number(gap))
    assert variance.best_number(gap | {"seed": 0.0}) == np.inf
