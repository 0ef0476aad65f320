"""The known groups, and the variance components that decide how many samples are generated."""

from itertools import chain

import numpy as np
import pandas as pd
import pytest

from benchmarks.evaluation import groups, validity, variance
from benchmarks.evaluation.document import DOCUMENT
from eisbach.metrics.validity import load


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


def test_the_sets_of_a_group_are_disjoint(facts):
    for name, pair in groups.of_sets(facts).items():
        for sets in (pair.high, pair.low):
            used = [set(rows(one)) for one in sets]
            assert sum(map(len, used)) == len(set(chain(*used))), name


def test_paired_groups_have_equally_many_sets(facts):
    paired = [pair for pair in groups.of_sets(facts).values() if pair.paired]
    assert len(paired) == 5
    assert all(len(pair.high) == len(pair.low) > 0 for pair in paired)


def test_distinct_sets_have_eight_clips_of_different_pieces(facts):
    for one in groups.of_sets(facts)["distinct_duplicated"].high:
        assert len(set(facts["piece"][rows(one)])) == groups.PROMPTS * groups.NOISES == 8


def test_duplicated_sets_have_a_clip_and_its_near_copy_for_each_prompt(facts):
    for one in groups.of_sets(facts)["distinct_duplicated"].low:
        assert [[name for name, _ in group] for group in one] == [["real", "near_copy"]] * 4
        assert all(first[1] == second[1] for first, second in one)


def test_repeated_pieces_are_the_same_within_a_prompt(facts):
    for one in groups.of_sets(facts)["pieces_repeated"].low:
        assert all(facts["piece"][a] == facts["piece"][b] for (_, a), (_, b) in one)


def test_mixed_shapes_are_the_clips_of_equal_shapes_in_other_pairs(facts):
    pair = groups.of_sets(facts)["shape_mixed"]
    for one, other in zip(pair.high, pair.low, strict=True):
        assert all(facts["shape"][a] == facts["shape"][b] for (_, a), (_, b) in one)
        assert sorted(rows(one)) == sorted(rows(other))


def test_shared_sets_have_the_same_clips_for_all_prompts(facts):
    for one in groups.of_sets(facts)["own_shared"].low:
        assert len({frozenset(row for _, row in group) for group in one}) == 1


def test_echoes_are_compared_with_the_other_shapes_without_flat_clips(facts):
    pair = groups.of_clips(facts)["echoes_others"]
    assert set(facts["shape"][[row for _, row in pair.high]]) == {"echoes"}
    assert "echoes" not in set(facts["shape"][[row for _, row in pair.low]])
    assert "flat" not in set(facts["contrast_class"][[row for _, row in pair.high + pair.low]])


def test_variance_components_are_recovered():
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


GAP = {"seed": 1.0, "prompt": 0.0, "seed_prompt": 0.0, "noise": 20.0}


def test_the_best_number_of_samples_has_the_smallest_cost():
    costs = [variance._cost(GAP, prompts, 1) for prompts in range(1, 200)]
    assert np.argmin(costs) + 1 == round(variance.best_number(GAP))


def test_the_best_number_is_infinite_when_seeds_do_not_differ():
    assert variance.best_number(GAP | {"seed": 0.0}) == np.inf


def test_the_table_of_the_docs_is_that_of_the_committed_file():
    assert f"<!-- validity table -->\n{validity.markdown(load())}<!-- end of validity table -->" in DOCUMENT.read_text()
