"""Attempts to fool the judge: data that say nothing must give no verdict, and borderline data must not cross over."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eisbach.errors import UserError
from predictions.judge import evidence, statistics, words
from tests.predictions.conftest import planted
from tests.predictions.judge.trial import judged, pair, with_kind

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


def test_a_value_that_is_not_finite_leaves_other_experiments_alone():
    values = np.array([[3.0, 3.1, 2.9, np.nan, 3.2, 3.0, 3.1], [3.0] * 7])
    assert statistics.sign_flip_p(values, 0.0, "greater").tolist() == [1, 2**-7]


def test_an_arm_that_is_the_baseline_has_no_effect(plan):
    found = judged(plan, shifted(planted(), "barrier", 0.0))
    assert (found.test.p, found.estimate.effect, found.estimate.interval) == (1, 0, (0, 0))
    assert found.label == "refuted"
    assert "equivalent to zero" in found.reason


@pytest.mark.parametrize("kind", [{"kind": "difference", "direction": "lower"}, *ABSENT])
def test_a_metric_that_never_moves_says_nothing(page, load_page, kind):
    """Margin 0, oracle 0: neither an effect nor its absence, whatever is claimed."""
    table = planted()
    still = pd.concat([table, table[table["metric"] == "risk"].assign(metric="still", value=1.0)])
    assert judged(with_kind(page, load_page, metric="still", **kind), still).label == "inconclusive"


def test_one_seed_says_nothing(plan):
    table = planted()
    found = judged(plan, table[table["seed"] == 3])
    assert found.label == "assay failed"
    assert "single seed" in found.reason


def test_one_seed_of_an_ungated_hypothesis_is_not_tested(plan):
    table = planted()
    found = judged(plan, table[table["seed"] == 3], "claim/weight")
    assert found.label == "not tested"
    assert "single seed" in found.reason


def test_one_run_under_two_seeds_is_refused(plan):
    table = planted(n=6)
    copies = table.assign(seed=table["seed"] + 6)
    with pytest.raises(UserError, match=r"seeds 0 and 6 of regime 'toy/one' agree in all 7 numbers"):
        judged(plan, pd.concat([table, copies]))


def test_a_copied_seed_is_found_although_some_seeds_have_more_numbers(plan):
    """A pair of seeds is listed under its first seed; the second has no such number."""
    table = planted(n=6)
    copies = pd.concat([table, table.assign(seed=table["seed"] + 6)])
    pairs = table[(table["metric"] == "risk") & (table["seed"] < 3)].assign(metric="risk/between_seeds")
    with pytest.raises(UserError, match=r"seeds 0 and 6 of regime 'toy/one' agree in all 7 numbers"):
        judged(plan, pd.concat([copies, pairs]))


def test_two_seeds_that_diverged_are_not_copies(plan):
    table = planted()
    kept = table[table["seed"] > 1]
    flags = table[table["metric"] == "risk"].assign(metric="diverged")
    found = judged(plan, pd.concat([kept, flags.assign(value=(flags["seed"] < 2).astype(float))]))
    assert (found.label, len(found.sample.seeds)) == ("supported", 10)


def test_seeds_that_agree_in_some_numbers_are_not_copies(plan):
    table = planted()
    table.loc[table["metric"] == "weight", "value"] = 0.7
    assert judged(plan, table, "claim/weight").label == "supported"


@pytest.mark.parametrize("metric", ["risk", "gap/risk", "risk/between_seeds"])
def test_a_metric_computed_from_an_invalid_one_is_invalid(page, load_page, metric):
    page["regimes"]["toy/*"]["sound"] = True
    plan = with_kind(page, load_page, metric=metric, kind="difference", direction="lower")
    table = planted()
    named = table[table["metric"] == "risk"].assign(metric=metric)
    both = pd.concat([table, named]) if metric != "risk" else table
    found = judged(plan, both, invalid={"risk": "separates nothing"})
    assert (found.label, found.reason) == ("not tested", "the metric is invalid: separates nothing")


@settings(deadline=None, max_examples=30)
@given(st.sampled_from([0.1, 0.3, 1 / 3, 0.7, 2.1]), st.integers(7, 16), st.sampled_from([-1, 1]))
def test_an_effect_exactly_at_the_margin_is_on_neither_side(margin, n, sign):
    values = np.full(n, sign * margin)
    at = evidence.effect(values, margin)
    label, _ = words.effect_label(at, sign, at.p, at.p_against)
    assert label == "inconclusive"
    same = evidence.equivalence(values, margin)
    assert same.p == same.p_against == 1
    worse = evidence.noninferiority(-np.abs(values), margin, 1)
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
    assert found.estimate.effect < -3 * found.margin.value
    assert found.label == "inconclusive"


def test_arms_are_paired_by_seed_and_not_by_the_order_of_rows(plan):
    table = planted()
    turned = table.copy()
    barrier = turned["arm"] == "barrier"
    turned.loc[barrier] = turned[barrier].iloc[::-1].to_numpy()
    turned = turned.astype(table.dtypes)
    assert judged(plan, turned) == judged(plan, table)


@pytest.mark.parametrize("kind", ABSENT)
def test_an_absence_needs_more_than_few_seeds(page, load_page, kind):
    plan = with_kind(page, load_page, metric="risk", **kind)
    assert judged(plan, planted(n=4, barrier=0.0)).label == "assay failed"


def test_a_control_that_is_the_barrier_itself_leaves_no_mechanism(plan):
    table = planted()
    barrier = table.loc[(table["arm"] == "barrier") & (table["metric"] == "risk"), "value"].to_numpy()
    table.loc[(table["arm"] == "timestep") & (table["metric"] == "risk"), "value"] = barrier
    assert pair(judged(plan, table)) == ("supported", "refuted")
