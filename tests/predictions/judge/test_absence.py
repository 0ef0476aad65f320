"""The absence of an effect counts only where the oracle shows that the assay is sensitive."""

import numpy as np
import pandas as pd
import pytest

from predictions.judge import statistics
from tests.predictions.conftest import planted
from tests.predictions.judge.trial import judged, on_detail, pair, with_detail, with_kind

ABSENT = ({"kind": "equivalence"}, {"kind": "noninferiority", "direction": "lower"})


def test_absence_refutes_nothing_where_the_oracle_is_not_detected(page, load_page):
    found = judged(on_detail(page, load_page), with_detail(barrier=0.0, oracle=0.0))
    assert found.label == "inconclusive"
    assert "the assay is not sensitive on this metric: the oracle's effect is not detected (p = " in found.reason
    assert found.test.p_against < 0.05  # equivalent, had it been allowed to count
    assert found.test.p_against_holm == 1


@pytest.mark.parametrize("oracle", [-1.6, 1.6])
def test_absence_refutes_where_the_oracle_has_an_effect_in_either_direction(page, load_page, oracle):
    assert judged(on_detail(page, load_page), with_detail(barrier=0.0, oracle=oracle)).label == "refuted"


def test_an_opposite_effect_needs_no_oracle(page, load_page):
    found = judged(on_detail(page, load_page), with_detail(barrier=1.2, oracle=0.0))
    assert (found.label, found.reason) == ("refuted", "significant in the opposite direction")


def test_an_effect_needs_no_oracle(page, load_page):
    assert judged(on_detail(page, load_page), with_detail(barrier=-1.2, oracle=0.0)).label == "supported"


def test_a_registered_margin_needs_no_oracle(page, load_page):
    numbered = on_detail(page, load_page, margin=0.5)
    assert judged(numbered, with_detail(barrier=0.0, oracle=0.0)).label == "refuted"


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "interaction", "arms": ["shuffled@0.5", "baseline"], "against": ["timestep@0.5", "constant@0.5"]},
        {"kind": "trend", "arms": ["shuffled@0.4", "timestep@0.5"], "against": None},
    ],
)
@pytest.mark.parametrize(("oracle", "label"), [(0.0, "inconclusive"), (-1.6, "refuted")])
def test_the_absence_of_a_trend_or_an_interaction_needs_the_oracle_too(page, load_page, changes, oracle, label):
    table = with_detail(shuffled=0.0, timestep=0.0, oracle=oracle)
    table.loc[(table["arm"] == "shuffled") & (changes["kind"] == "trend"), "lam"] = 0.4
    assert judged(on_detail(page, load_page, **changes), table).label == label


@pytest.mark.parametrize(("oracle", "label"), [(0.0, "inconclusive"), (-1.6, "refuted")])
def test_a_control_that_equals_the_barrier_refutes_only_where_the_oracle_is_detected(page, load_page, oracle, label):
    plan = on_detail(page, load_page, controls=["timestep@0.5"])
    assert pair(judged(plan, with_detail(timestep=-1.2, oracle=oracle))) == ("supported", label)


@pytest.mark.parametrize("kind", ABSENT)
@pytest.mark.parametrize("margin", [None, 0.5])
def test_no_claimed_absence_is_supported_where_the_oracle_is_not_detected(page, load_page, kind, margin):
    """An insensitive regime says nothing for a claim that there is no effect, whatever the margin."""
    plan = with_kind(page, load_page, metric="detail", margin=margin, **kind)
    assert judged(plan, with_detail(barrier=0.0)).label == "supported"
    found = judged(plan, with_detail(barrier=0.0, oracle=0.0))
    assert (found.label, found.test.p_holm) == ("inconclusive", 1)
    assert found.test.p < 0.05  # equivalent, had it been allowed to count
    assert "the oracle's effect is not detected" in found.reason


@pytest.mark.parametrize("kind", ABSENT)
@pytest.mark.parametrize("margin", [None, 0.5])
def test_a_claimed_absence_is_refuted_by_an_effect_without_an_oracle(page, load_page, kind, margin):
    plan = with_kind(page, load_page, metric="detail", margin=margin, **kind)
    assert judged(plan, with_detail(barrier=2.0, oracle=0.0)).label == "refuted"


def without_oracle(*metrics):
    table = with_detail(barrier=0.0)
    return table[~((table["arm"] == "oracle") & table["metric"].isin(metrics))]


@pytest.mark.parametrize("kind", ABSENT)
def test_without_an_oracle_anywhere_the_assay_has_failed(page, load_page, kind):
    plan = with_kind(page, load_page, metric="detail", margin=0.5, **kind)
    assert judged(plan, without_oracle("risk", "detail")).label == "assay failed"


@pytest.mark.parametrize("kind", ABSENT)
def test_without_an_oracle_on_its_metric_an_absence_is_inconclusive(page, load_page, kind):
    found = judged(with_kind(page, load_page, metric="detail", margin=0.5, **kind), without_oracle("detail"))
    assert found.label == "inconclusive"
    assert "no arm 'oracle@0.5' with metric 'detail'" in found.reason


@pytest.mark.parametrize("kind", ABSENT)
def test_without_an_oracle_and_a_registered_margin_an_ungated_absence_is_not_tested(page, load_page, kind):
    ungated = with_kind(page, load_page, metric="detail", ungated="half of the gate", **kind)
    found = judged(ungated, without_oracle("risk", "detail"))
    assert (found.label, "oracle@0.5" in found.reason) == ("not tested", True)


@pytest.fixture
def barely_detected():
    """`detail` without an effect of the barrier, and with an oracle detected at p = 0.03; and that p."""
    table = planted(barrier=0.0).query("metric == 'risk'").assign(metric="detail")
    oracle, baseline = table["arm"] == "oracle", table["arm"] == "baseline"
    steps = np.where(np.arange(12) < 10, 1.0, -1.35) + 0.01 * np.arange(12)
    table.loc[oracle, "value"] = table.loc[baseline, "value"].to_numpy() + steps
    p = float(statistics.sign_flip_p(steps))
    assert 0.05 / 6 < p < 0.05
    return pd.concat([planted(), table]), p


def test_an_oracle_detected_on_the_only_metric_shows_sensitivity(page, load_page, barely_detected):
    table, _ = barely_detected
    alone = with_kind(page, load_page, kind="equivalence", metric="detail", margin=0.5)
    assert judged(alone, table).label == "supported"


def test_one_insensitive_metric_among_many_does_not_pass_as_sensitive(page, load_page, barely_detected):
    """An oracle detected at p = 0.03 on one of six metrics is within chance."""
    table, p = barely_detected
    with_kind(page, load_page, kind="equivalence", metric="detail", margin=0.5)
    hypotheses = page["claims"][0]["hypotheses"]
    hypotheses += [hypotheses[0] | {"id": f"claim/{index}", "metric": f"detail {index}"} for index in range(5)]
    more = [
        planted(oracle=0.0, seed=index).query("metric == 'risk'").assign(metric=f"detail {index}") for index in range(5)
    ]
    found = judged(load_page(page), pd.concat([table, *more]))
    assert found.label == "inconclusive"
    assert f"(p = {p:.3g}, " in found.reason
    assert "over 6 metrics" in found.reason
