"""Attempts to fool the engine: what says nothing must not become a verdict, what is at a border must not cross it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eisbach.errors import UserError
from predictions.judge import evidence as judgement
from predictions.judge import judge as verdict
from predictions.judge import statistics
from tests.predictions.conftest import CLEAN, planted
from tests.predictions.judge.test_verdict import judged, with_kind

ABSENT = ({"kind": "equivalence"}, {"kind": "noninferiority", "direction": "lower"})


def shifted(table, arm, values):
    """The table with an arm's risk at the baseline's plus `values`."""
    table = table.copy()
    of_risk = table["metric"] == "risk"
    baseline = table.loc[of_risk & (table["arm"] == "baseline"), "value"].to_numpy()
    table.loc[of_risk & (table["arm"] == arm), "value"] = baseline + values
    return table


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_a_value_that_is_not_finite_is_no_evidence(value, alternative):
    values = np.array([3.0, 3.1, 2.9, value, 3.2, 3.0, 3.1])
    assert statistics.sign_flip_p(values, 0.0, alternative) == 1
    assert statistics.tost_p(values, 10.0) == statistics.noninferiority_p(values, 10.0) == 1
    many = np.stack([values, np.full(7, 3.0)])
    assert statistics.sign_flip_p(many, 0.0, "greater").tolist() == [1, 2**-7]  # the neighbour is not touched


def test_an_arm_that_is_the_baseline_has_no_effect(plan):
    found = judged(plan, shifted(planted(), "barrier", 0.0))
    assert (found.p, found.effect, found.interval) == (1, 0, (0, 0))
    assert found.effect_label == "refuted"
    assert "equivalent" in found.reason


def test_a_metric_that_never_moves_says_nothing(page, load_page):
    """Margin 0, oracle 0: neither an effect nor its absence, whatever is claimed."""
    table = planted()
    still = pd.concat([table, table[table["metric"] == "risk"].assign(metric="still", value=1.0)])
    for kind in ({"kind": "difference", "direction": "lower"}, *ABSENT):
        found = judged(with_kind(page, load_page, metric="still", **kind), still)
        assert found.effect_label == "inconclusive", kind


def test_one_seed_says_nothing(plan):
    table = planted()
    found = judged(plan, table[table["seed"] == 3])
    assert found.effect_label in ("not tested", "assay failed")
    assert "single seed" in found.reason


def test_one_run_under_two_names_is_refused(plan):
    table = planted(n=6)
    copies = table.assign(seed=table["seed"] + 6)
    with pytest.raises(UserError, match=r"seeds 0 and 6 of regime 'toy/one' agree in all 7 numbers"):
        judged(plan, pd.concat([table, copies]))


def test_a_copy_is_seen_beside_numbers_that_only_some_seeds_have(plan):
    """Pairs of seeds have the name of their first; the second has no such number."""
    table = planted(n=6)
    copies = pd.concat([table, table.assign(seed=table["seed"] + 6)])
    pairs = table[(table["metric"] == "risk") & (table["seed"] < 3)].assign(metric="risk/between_seeds")
    with pytest.raises(UserError, match=r"seeds 0 and 6 of regime 'toy/one' agree in all 7 numbers"):
        judged(plan, pd.concat([copies, pairs]))


def test_two_seeds_that_diverged_are_no_copies(plan):
    table = planted()
    kept = table[table["seed"] > 1]
    flags = table[table["metric"] == "risk"].assign(metric="diverged")
    found = judged(plan, pd.concat([kept, flags.assign(value=(flags["seed"] < 2).astype(float))]))
    assert (found.effect_label, found.n) == ("supported", 10)


@pytest.mark.parametrize("metric", ["risk", "gap/risk", "risk/between_seeds"])
def test_what_is_made_of_an_unfit_measure_is_unfit(page, load_page, metric):
    page["regimes"]["toy/*"]["sound"] = True
    plan = with_kind(page, load_page, metric=metric, kind="difference", direction="lower")
    table = planted()
    named = table[table["metric"] == "risk"].assign(metric=metric)
    both = pd.concat([table, named]) if metric != "risk" else table
    verdicts, _ = verdict.judge(plan, both, CLEAN, unfit={"risk": "hears nothing"})
    found = next(one for one in verdicts if (one.hypothesis, one.regime) == ("claim/risk", "toy/one"))
    assert (found.effect_label, found.reason) == ("not tested", "the metric is unfit: hears nothing")


def test_seeds_that_agree_in_some_numbers_are_seeds_still(plan):
    table = planted()
    table.loc[table["metric"] == "weight", "value"] = 0.7
    assert judged(plan, table, "claim/weight").effect_label == "supported"


@settings(deadline=None, max_examples=30)
@given(st.sampled_from([0.1, 0.3, 1 / 3, 0.7, 2.1]), st.integers(7, 16), st.sampled_from([-1, 1]))
def test_an_effect_exactly_at_the_margin_is_on_neither_side(margin, n, sign):
    values = np.full(n, sign * margin)
    at = judgement.effect(values, margin)
    label, _ = judgement.effect_label(at, sign, at.p, at.p_against)
    assert label == "inconclusive"
    same = judgement.equivalence(values, margin)
    assert same.p == same.p_against == 1
    worse = judgement.noninferiority(-np.abs(values), margin, 1)
    assert worse.p == worse.p_against == 1


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=6, max_size=12))
def test_ties_make_a_test_cautious_and_never_sharper(values):
    values = np.array(values)
    moved = np.count_nonzero(values)
    assert statistics.sign_flip_p(values, 0.0, "greater") >= 2.0**-moved
    greater, less = (statistics.sign_flip_p(values, 0.0, side) for side in ("greater", "less"))
    assert greater + less >= 1


def test_one_outlier_that_makes_the_mean_does_not_make_a_verdict(plan):
    found = judged(plan, shifted(planted(), "barrier", np.array([-60.0] + [0.05, -0.05] * 5 + [0.0])))
    assert found.effect < -3 * found.margin
    assert found.effect_label == "inconclusive"


def test_shuffled_seeds_of_one_arm_are_no_better_than_paired_ones(plan):
    """Pairing is by the seed's number, not by the order of the rows."""
    table = planted()
    turned = table.copy()
    barrier = turned["arm"] == "barrier"
    turned.loc[barrier] = turned[barrier].iloc[::-1].to_numpy()
    turned = turned.astype(table.dtypes)
    assert judged(plan, turned) == judged(plan, table)


@pytest.mark.parametrize("kind", ABSENT)
def test_an_absence_needs_more_than_few_seeds(page, load_page, kind):
    plan = with_kind(page, load_page, metric="risk", **kind)
    found = judged(plan, planted(n=4, barrier=0.0))
    assert found.effect_label == "assay failed"


def test_a_control_that_is_the_barrier_itself_leaves_no_mechanism(plan):
    table = planted()
    copied = shifted(table, "timestep", 0.0)
    barrier = copied.loc[(copied["arm"] == "barrier") & (copied["metric"] == "risk"), "value"].to_numpy()
    copied.loc[(copied["arm"] == "timestep") & (copied["metric"] == "risk"), "value"] = barrier
    found = judged(plan, copied)
    assert (found.effect_label, found.mechanism_label) == ("supported", "refuted")
