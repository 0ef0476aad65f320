"""What each kind of hypothesis asserts."""

import numpy as np
import pandas as pd
import pytest

from predictions.judge import evidence
from predictions.judge.judge import judge
from tests.predictions.conftest import CLEAN, planted
from tests.predictions.judge.trial import judged, with_kind


@pytest.mark.parametrize(("effect", "label"), [(0.0, "supported"), (-1.2, "refuted"), (1.2, "refuted")])
def test_an_equivalence_holds_within_the_margin_on_both_sides(page, load_page, effect, label):
    assert judged(with_kind(page, load_page, kind="equivalence"), planted(barrier=effect)).label == label


@pytest.mark.parametrize(("effect", "label"), [(0.0, "supported"), (-1.2, "supported"), (1.2, "refuted")])
def test_a_noninferiority_fails_only_on_the_worse_side(page, load_page, effect, label):
    plan = with_kind(page, load_page, kind="noninferiority", direction="lower")
    assert judged(plan, planted(barrier=effect)).label == label


@pytest.fixture
def required(page, load_page):
    """Judge an equivalence that requires a `gap` below 0.1; the gaps of the arms grow by 0.01 with every seed."""
    plan = with_kind(page, load_page, kind="equivalence", requires={"gap": 0.1})

    def judge_with(**gaps):
        table = planted(barrier=0.0)
        risks = table[table["metric"] == "risk"]
        rows = [risks[risks["arm"] == arm].assign(metric="gap", value=gap) for arm, gap in gaps.items()]
        parts = [part.assign(value=part["value"] + 0.01 * part["seed"]) for part in rows]
        return judged(plan, pd.concat([table, *parts]))

    return judge_with


def test_a_requirement_that_every_arm_meets_lets_the_hypothesis_be_tested(required):
    assert required(baseline=0.0, barrier=0.0).label == "supported"


@pytest.mark.parametrize("gap", [0.05, 0.3])  # a mean of 0.105 has seeds below 0.1 and is not shown to lie there
@pytest.mark.parametrize("arm", ["baseline", "barrier"])
def test_a_requirement_that_one_arm_is_not_shown_to_meet_leaves_it_not_tested(required, arm, gap):
    found = required(**{"baseline": 0.0, "barrier": 0.0} | {arm: gap})
    assert found.label == "not tested"
    assert f"gap of {arm}" in found.reason
    assert "is not shown to lie below 0.1" in found.reason


def test_a_requirement_that_was_not_measured_leaves_it_not_tested(required):
    found = required()
    assert (found.label, "'gap'" in found.reason) == ("not tested", True)


@pytest.fixture
def exact(page, load_page):
    """A registry whose hypothesis says that the barrier's risk is 1, and a table in which it is."""
    keys = {"kind": "exact", "against": None, "family": None, "bound": 1.0, "margin": 1e-6}
    table = planted()
    table.loc[table["arm"] == "barrier", "value"] = 1.0
    return with_kind(page, load_page, **keys), table


def test_an_exact_statement_is_supported_where_every_seed_keeps_to_it(exact):
    found = judged(*exact)
    assert (found.label, found.estimate.effect, found.estimate.interval) == ("supported", 1.0, None)


def test_an_exact_statement_is_refuted_by_one_seed(exact):
    plan, table = exact
    table.loc[(table["arm"] == "barrier") & (table["seed"] == 4), "value"] = 0.97
    assert judged(plan, table).label == "refuted"


def test_an_interaction_is_the_difference_of_differences(page, load_page):
    arms, against = ["barrier@0.5", "baseline"], ["timestep@0.5", "shuffled@0.5"]
    plan = with_kind(page, load_page, kind="interaction", arms=arms, against=against, direction="lower")
    found = judged(plan, planted(correlation=0.9999))
    assert found.estimate.effect == pytest.approx(-1.2 + 0.0 + 0.2 + 0.1, abs=0.02)


@pytest.mark.parametrize(("effects", "label"), [((0.0, -0.8, -2.0), "supported"), ((0.0, 0.8, 2.0), "refuted")])
def test_a_trend_follows_the_change_over_the_lambdas(page, load_page, effects, label):
    arms = ["barrier@0.3", "barrier@0.5", "barrier@1"]
    plan = with_kind(page, load_page, kind="trend", arms=arms, against=None, direction="lower")
    swept = [
        planted(barrier=effect).query("arm == 'barrier'").assign(lam=lam)
        for effect, lam in zip(effects, (0.3, 0.5, 1.0), strict=True)
    ]
    table = planted()
    assert judged(plan, pd.concat([table[table["arm"] != "barrier"], *swept])).label == label


def test_a_trend_s_p_is_the_larger_of_those_of_its_slope_and_its_shape():
    rng = np.random.default_rng(0)
    for slope in (0.0, 0.5, 1.0):
        values = rng.standard_normal((8, 3)) + slope * np.arange(3)
        found = evidence.trend(np.arange(3), values, 0.1, seed=0)
        assert found.p == max(found.shape_p, evidence.effect(found.values, 0.1).p)


def test_a_bound_compares_a_mean_with_a_number(plan):
    found = judged(plan, planted(), "claim/weight")
    assert found.label == "supported"
    assert found.estimate.effect == pytest.approx(0.7, abs=0.02)


def universal(page, load_page):
    page["claims"][0]["hypotheses"] = [
        {"id": "claim/always", "statement": "always so", "kind": "universal", "search": "s", "regimes": ["real"],
         "skip": {"toy/*": "one is enough"}}
    ]  # fmt: skip
    return load_page(page)


@pytest.mark.parametrize(("found", "label"), [(True, "refuted"), (False, "inconclusive")])
def test_a_counterexample_refutes_and_its_absence_proves_nothing(page, load_page, found, label):
    searched = {("s", "real"): {"found": found, "tried": 7, "description": "(1, 3, 1)"}}
    (verdict,) = judge(universal(page, load_page), planted(), CLEAN, searched).verdicts["claim/always"]
    assert (verdict.regime, verdict.run, verdict.label) == ("real", None, label)
    assert verdict.counterexample.tried == 7


@pytest.mark.parametrize(
    ("searched", "reason"),
    [
        ({}, "no search for a counterexample has run here"),
        ({("s", "real"): {"found": False, "reason": "no census"}}, "no census"),
    ],
)
def test_without_a_search_a_universal_statement_is_not_tested(page, load_page, searched, reason):
    (verdict,) = judge(universal(page, load_page), planted(), CLEAN, searched).verdicts["claim/always"]
    assert (verdict.label, verdict.reason) == ("not tested", reason)


def test_a_conjunction_is_supported_where_all_its_parts_are(plan):
    found = judged(plan, planted(), "claim/both")
    assert (found.label, found.reason) == ("supported", "all parts are supported (claim/risk, claim/weight)")
    assert len(found.sample.seeds) == 12


def test_one_refuted_part_refutes_a_conjunction(plan):
    found = judged(plan, planted(barrier=0.0), "claim/both")
    assert found.label == "refuted"
    assert "1 of its 2 parts: refuted" in found.reason


def test_a_conjunction_s_p_is_the_largest_of_its_parts(plan):
    parts = [judged(plan, planted(), name).test.p_holm for name in ("claim/risk", "claim/weight")]
    assert judged(plan, planted(), "claim/both").joint_p_holm == max(parts)
