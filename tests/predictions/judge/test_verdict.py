import itertools
import json
import math
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from benchmarks.calibration import labels
from eisbach.errors import UserError
from predictions.judge import judge as verdict
from predictions.judge import statistics, summary
from predictions.judge.judge import Tree
from tests.predictions.conftest import CLEAN, planted


def judged(plan, table, hypothesis="claim/risk", regime="toy/one", run="short", tree=CLEAN):
    verdicts, _ = verdict.judge(plan, table, tree)
    (found,) = [v for v in verdicts if (v.hypothesis, v.regime, v.run) == (hypothesis, regime, run)]
    return found


def pair(found):
    return found.effect_label, found.mechanism_label


def test_a_real_effect_is_supported_with_its_mechanism(plan):
    found = judged(plan, planted())
    assert pair(found) == ("supported", "supported")
    assert found.effect == pytest.approx(-1.2, abs=0.4)
    assert found.interval[0] < found.effect < found.interval[1] < -found.margin
    assert found.effect == pytest.approx(np.mean([row["value"] for row in found.differences]))
    assert found.p <= found.p_holm < 0.05
    assert found.n == 12
    assert found.tables == ["planted.parquet"]


@pytest.mark.parametrize(("planted_name", "wanted"), [(name, pair) for name, (_, pair) in labels.PLANTED.items()])
def test_planted_effects_get_the_right_pair_at_24_seeds(planted_name, wanted):
    """The share over hundreds of experiments and three shapes is in docs/calibration.md; here are four of each."""
    assert labels.right(planted_name, 24, "normal", 4)["right"] == 1, wanted


def test_a_control_that_does_as_well_refutes_the_mechanism_by_name(plan):
    found = judged(plan, planted(timestep=-1.2))
    assert pair(found) == ("supported", "refuted")
    assert "timestep@0.5 does as well" in found.mechanism_reason
    share = next(control.share for control in found.controls if control.arm == "timestep@0.5")
    assert share == pytest.approx(1, abs=0.2)
    assert f"timestep@0.5 gives {share:.0%}" in found.sentence


def test_an_effect_within_the_margin_is_refuted_and_one_between_is_inconclusive(plan):
    assert judged(plan, planted(barrier=0.0)).effect_label == "refuted"
    between = judged(plan, planted(barrier=-0.5))
    assert between.effect_label == "inconclusive"
    assert "too small to matter" in between.reason
    assert between.minimum_detectable_effect > between.margin


def on_detail(page, load_page, **changes):
    """The first hypothesis alone, on a metric that is not the gate's."""
    return with_kind(page, load_page, metric="detail", direction="lower", **changes)


def with_detail(**effects):
    """The gate's metric as planted, and another one with effects of its own."""
    return pd.concat([planted(), planted(seed=1, **effects).query("metric == 'risk'").assign(metric="detail")])


def test_nothing_refutes_by_its_absence_where_the_oracle_is_not_seen_either(page, load_page):
    plan = on_detail(page, load_page)
    blind = judged(plan, with_detail(barrier=0.0, oracle=0.0))
    assert blind.effect_label == "inconclusive"
    assert "the assay is not sensitive on this metric: the oracle's effect is not detected (p = " in blind.reason
    assert blind.p_against < 0.05  # equivalent, had it been allowed to count
    assert blind.p_against_holm == 1
    for oracle in (-1.6, 1.6):  # whichever way it goes
        assert judged(plan, with_detail(barrier=0.0, oracle=oracle)).effect_label == "refuted"


def test_an_opposite_effect_or_a_registered_margin_needs_no_oracle(page, load_page):
    plan = on_detail(page, load_page)
    opposite = judged(plan, with_detail(barrier=1.2, oracle=0.0))
    assert (opposite.effect_label, opposite.reason) == ("refuted", "significant in the opposite direction")
    assert judged(plan, with_detail(barrier=-1.2, oracle=0.0)).effect_label == "supported"
    numbered = on_detail(page, load_page, margin=0.5)
    assert judged(numbered, with_detail(barrier=0.0, oracle=0.0)).effect_label == "refuted"


def test_a_trend_and_an_interaction_need_the_oracle_too(page, load_page):
    for changes in (
        {"kind": "interaction", "arms": ["shuffled@0.5", "baseline"], "against": ["timestep@0.5", "constant@0.5"]},
        {"kind": "trend", "arms": ["shuffled@0.4", "timestep@0.5"], "against": []},
    ):
        plan = on_detail(page, load_page, **changes)
        for oracle, label in ((0.0, "inconclusive"), (-1.6, "refuted")):
            table = with_detail(shuffled=0.0, timestep=0.0, oracle=oracle)
            table.loc[(table["arm"] == "shuffled") & (changes["kind"] == "trend"), "lam"] = 0.4
            assert judged(plan, table).effect_label == label, (changes["kind"], oracle)


def test_a_control_that_equals_the_barrier_refutes_only_where_the_oracle_is_seen(page, load_page):
    plan = on_detail(page, load_page, controls=["timestep@0.5"])
    for oracle, label in ((0.0, "inconclusive"), (-1.6, "refuted")):
        found = judged(plan, with_detail(timestep=-1.2, oracle=oracle))
        assert pair(found) == ("supported", label), oracle


def test_without_its_oracle_the_assay_has_failed(plan):
    table = planted()
    found = judged(plan, table[table["arm"] != "oracle"])
    assert found.effect_label == "assay failed"
    assert "oracle@0.5" in found.reason
    assert found.p is None
    assert judged(plan, table[table["arm"] != "oracle"], "claim/weight").effect_label == "supported"  # needs no assay
    assert judged(plan, table[table["arm"] != "oracle"], "claim/both").effect_label == "assay failed"


@pytest.mark.parametrize("broken", [{"oracle": 0.0}, {"oracle": 1.6}, {"constant": -0.8}])
def test_an_assay_that_does_not_see_or_sees_too_much_has_failed(plan, broken):
    assert judged(plan, planted(**broken)).effect_label == "assay failed"


def test_what_is_missing_is_not_tested_and_says_what(plan):
    table = planted()
    assert "'weight'" in judged(plan, table[table["metric"] != "weight"], "claim/weight").reason
    without = judged(plan, table[table["arm"] != "barrier"])
    assert (without.effect_label, "barrier@0.5" in without.reason) == ("not tested", True)
    other_run = judged(plan, table, run="converged")
    assert other_run.effect_label == "not tested"
    assert "run 'converged'" in other_run.reason
    whole_regime = judged(plan, table, regime="real")
    assert "no table has outcomes of regime 'real'" in whole_regime.reason
    assert not judged(plan, table, "claim/weight", "real", "").planned
    no_control = judged(plan, table[table["arm"] != "timestep"])
    assert pair(no_control) == ("supported", "not tested")
    assert "timestep@0.5" in no_control.mechanism_reason


def test_a_missing_seed_is_an_error_that_names_arm_and_seed(plan):
    table = planted()
    with pytest.raises(UserError, match=r"seed 7 is missing from arm 'barrier@0\.5'"):
        judged(plan, table[~((table["arm"] == "barrier") & (table["seed"] == 7))])


def test_six_seeds_say_why_they_cannot_decide(plan):
    found = judged(plan, planted(n=6, regime="real", adapter="dora"), regime="real")
    assert found.effect_label in ("supported", "inconclusive")  # a family of one: six seeds can just do it
    five = judged(plan, planted(n=5, regime="real", adapter="dora"), regime="real")
    assert five.effect_label == "assay failed"
    assert "n = 5 cannot be significant" in five.reason


def test_a_family_that_is_too_large_for_its_seeds_says_so(plan):
    found = judged(plan, planted(n=6))
    assert found.effect_label == "inconclusive"
    assert found.least_p_holm == pytest.approx(2 * 2 / 64)
    assert "6 seeds can give no p below 0.062 after Holm's correction for 2 tests" in found.reason


def test_regimes_and_runs_are_judged_by_themselves(plan):
    alone = judged(plan, planted())
    table = pd.concat([planted(), planted(regime="toy/two", barrier=1.2, seed=1), planted(run="converged", seed=2)])
    assert judged(plan, table) == alone
    assert judged(plan, table, regime="toy/two").effect_label == "refuted"


def test_only_all_confirmatory_seeds_on_a_clean_tree_confirm(plan):
    confirming = planted(first=100)
    assert judged(plan, confirming).status == "confirmatory"
    assert judged(plan, planted()).status == "exploratory"
    assert judged(plan, confirming[confirming["seed"] < 111]).status == "exploratory"
    for tree in (Tree(False, True, True), Tree(True, False, True), Tree(True, True, False)):
        assert judged(plan, confirming, tree=tree).status == "exploratory"


def test_without_a_seal_nothing_is_confirmed_and_the_verdict_says_so(plan):
    found = judged(plan, planted(first=100), tree=Tree(True, True, sealed=False))
    assert (found.status, found.status_reason) == ("exploratory", "no seal was made before these seeds were run")


def test_seeds_seen_before_take_no_part_in_a_confirmation(plan):
    both = pd.concat([planted(first=100), planted(seed=9, barrier=3.0)])
    found = judged(plan, both)
    assert found.seeds == list(range(100, 112))
    assert found == judged(plan, planted(first=100))


def test_the_order_of_rows_does_not_matter(plan):
    table = planted()
    assert judged(plan, table.sample(frac=1, random_state=0)) == judged(plan, table)


def test_a_claim_in_the_other_direction_gets_the_mirrored_verdict(plan, page, load_page):
    page["claims"][0]["hypotheses"][0]["direction"] = "higher"
    assert judged(load_page(page), planted()).effect_label == "refuted"


def with_kind(page, load_page, **changes):
    """The first hypothesis alone, with other keys."""
    first = {k: v for k, v in page["claims"][0]["hypotheses"][0].items() if k not in ("controls", "direction")}
    page["claims"][0]["hypotheses"] = [first | changes]
    return load_page(page)


@pytest.mark.parametrize(
    ("effect", "kind", "label"),
    [
        (0.0, {"kind": "equivalence"}, "supported"),
        (-1.2, {"kind": "equivalence"}, "refuted"),
        (0.0, {"kind": "noninferiority", "direction": "lower"}, "supported"),
        (-1.2, {"kind": "noninferiority", "direction": "lower"}, "supported"),
        (1.2, {"kind": "noninferiority", "direction": "lower"}, "refuted"),
    ],
)
def test_equivalence_and_non_inferiority(page, load_page, effect, kind, label):
    assert judged(with_kind(page, load_page, **kind), planted(barrier=effect)).effect_label == label


@pytest.mark.parametrize("kind", [{"kind": "equivalence"}, {"kind": "noninferiority", "direction": "lower"}])
@pytest.mark.parametrize("margin", [None, 0.5])
def test_no_absence_is_supported_where_the_oracle_is_not_seen(page, load_page, kind, margin):
    """A regime that cannot see effects says nothing for a claim that there is none, whatever the margin."""
    plan = with_kind(page, load_page, metric="detail", margin=margin, **kind)
    seen = judged(plan, with_detail(barrier=0.0))
    assert seen.effect_label == "supported"
    blind = judged(plan, with_detail(barrier=0.0, oracle=0.0))
    assert (blind.effect_label, blind.p_holm) == ("inconclusive", 1)
    assert blind.p < 0.05  # equivalent, had it been allowed to count
    assert "the oracle's effect is not detected" in blind.reason
    assert judged(plan, with_detail(barrier=2.0, oracle=0.0)).effect_label == "refuted"  # what is there needs no oracle


@pytest.mark.parametrize("kind", [{"kind": "equivalence"}, {"kind": "noninferiority", "direction": "lower"}])
def test_no_absence_is_supported_without_an_oracle(page, load_page, kind):
    def without(*metrics):
        table = with_detail(barrier=0.0)
        return table[~((table["arm"] == "oracle") & table["metric"].isin(metrics))]

    gated = with_kind(page, load_page, metric="detail", margin=0.5, **kind)
    assert judged(gated, without("risk", "detail")).effect_label == "assay failed"
    missing = judged(gated, without("detail"))
    assert missing.effect_label == "inconclusive"
    assert "no arm 'oracle@0.5' with metric 'detail'" in missing.reason
    ungated = with_kind(page, load_page, metric="detail", margin=None, ungated="half of the gate", **kind)
    found = judged(ungated, without("risk", "detail"))
    assert (found.effect_label, "oracle@0.5" in found.reason) == ("not tested", True)


def test_one_blind_metric_among_many_does_not_pass_as_seeing(page, load_page):
    """An oracle that is seen at p = 0.03 on one of six metrics is what chance gives."""
    shifted = planted(barrier=0.0).query("metric == 'risk'").assign(metric="detail")
    oracle, baseline = shifted["arm"] == "oracle", shifted["arm"] == "baseline"
    steps = np.where(np.arange(12) < 10, 1.0, -1.35) + 0.01 * np.arange(12)
    shifted.loc[oracle, "value"] = shifted.loc[baseline, "value"].to_numpy() + steps
    p = float(statistics.sign_flip_p(steps))
    assert 0.05 / 6 < p < 0.05
    first = {"kind": "equivalence", "metric": "detail", "margin": 0.5}
    alone = with_kind(page, load_page, **first)
    assert judged(alone, pd.concat([planted(), shifted])).effect_label == "supported"
    hypotheses = page["claims"][0]["hypotheses"]
    hypotheses += [hypotheses[0] | {"id": f"claim/{index}", "metric": f"detail {index}"} for index in range(5)]
    more = [
        planted(oracle=0.0, seed=index).query("metric == 'risk'").assign(metric=f"detail {index}") for index in range(5)
    ]
    found = judged(load_page(page), pd.concat([planted(), shifted, *more]))
    assert found.effect_label == "inconclusive"
    assert f"(p = {p:.3g}, " in found.reason
    assert "over 6 metrics" in found.reason


def test_what_a_statement_presupposes_must_be_shown_of_what_it_is_compared_with(page, load_page):
    plan = with_kind(page, load_page, kind="equivalence", requires={"gap": 0.1})
    table = planted(barrier=0.0)
    risks = table[table["metric"] == "risk"]

    def near(**gaps):
        """Judged where the arms lie so far from the truth, a little farther with every seed."""
        rows = [risks[risks["arm"] == arm].assign(metric="gap", value=gap) for arm, gap in gaps.items()]
        gaps_ = pd.concat(rows)
        return judged(plan, pd.concat([table, gaps_.assign(value=gaps_["value"] + 0.01 * gaps_["seed"])]))

    assert near(baseline=0.0, barrier=0.0).effect_label == "supported"
    for gap in (0.05, 0.3):  # a mean of 0.105 has seeds below 0.1 and is not shown to be there
        for arm, gaps in (
            ("baseline", {"baseline": gap, "barrier": 0.0}),
            ("barrier", {"baseline": 0.0, "barrier": gap}),
        ):
            found = near(**gaps)
            assert found.effect_label == "not tested"
            assert f"gap of {arm}" in found.reason
            assert "is not shown to lie below 0.1" in found.reason
    unmeasured = judged(plan, table)
    assert (unmeasured.effect_label, "'gap'" in unmeasured.reason) == ("not tested", True)


def test_one_regime_of_a_pattern_can_be_left_out_with_its_reason(page, load_page):
    page["claims"][0]["hypotheses"] = page["claims"][0]["hypotheses"][:1]
    page["claims"][0]["hypotheses"][0]["skip"] = {"toy/two": "no adapter is trained there"}
    plan = load_page(page)
    verdicts, _ = verdict.judge(plan, pd.concat([planted(), planted(regime="toy/two")]), CLEAN)
    found = {(one.regime, one.run): one for one in verdicts}
    assert found["toy/one", "short"].planned
    left = found["toy/two", ""]
    assert (left.planned, left.effect_label, left.reason) == (False, "not tested", "no adapter is trained there")
    assert ("toy/two", "short") not in found


def test_an_exact_statement_is_refuted_by_one_seed(page, load_page):
    plan = with_kind(page, load_page, kind="exact", against=[], bound=1.0, margin=1e-6, family="")
    table = planted()
    table.loc[table["arm"] == "barrier", "value"] = 1.0
    assert judged(plan, table).effect_label == "supported"
    table.loc[(table["arm"] == "barrier") & (table["seed"] == 4), "value"] = 0.97
    assert judged(plan, table).effect_label == "refuted"


def test_an_interaction_is_the_difference_of_differences(page, load_page):
    arms, against = ["barrier@0.5", "baseline"], ["timestep@0.5", "shuffled@0.5"]
    plan = with_kind(page, load_page, kind="interaction", arms=arms, against=against, direction="lower")
    found = judged(plan, planted(correlation=0.9999))
    assert found.effect == pytest.approx(-1.2 + 0.0 + 0.2 + 0.1, abs=0.02)


def test_a_trend_needs_the_slope_and_the_monotone_shape(page, load_page):
    arms = ["barrier@0.3", "barrier@0.5", "barrier@1"]
    plan = with_kind(page, load_page, kind="trend", arms=arms, against=[], direction="lower")

    def swept(*effects):
        table = planted()
        more = [planted(barrier=effect).query("arm == 'barrier'") for effect in effects]
        swept = [part.assign(lam=lam) for part, lam in zip(more, (0.3, 0.5, 1.0), strict=True)]
        return pd.concat([table[table["arm"] != "barrier"], *swept])

    assert judged(plan, swept(0.0, -0.8, -2.0)).effect_label == "supported"
    assert judged(plan, swept(0.0, 0.8, 2.0)).effect_label == "refuted"


@pytest.mark.parametrize("found", [True, False])
def test_a_counterexample_refutes_and_its_absence_proves_nothing(page, load_page, found):
    page["claims"][0]["hypotheses"] = [
        {"id": "claim/always", "statement": "always so", "kind": "universal", "search": "s", "regimes": ["real"],
         "skip": {"toy/*": "one is enough"}}
    ]  # fmt: skip
    searched = {("s", "real"): {"found": found, "tried": 7, "description": "(1, 3, 1)"}}
    verdicts, _ = verdict.judge(load_page(page), planted(), CLEAN, searched)
    label = {v.regime: v.effect_label for v in verdicts if v.planned}
    assert label == {"real": "refuted" if found else "inconclusive"}


def test_every_verdict_has_a_sentence_that_bounds_itself(plan):
    for one in verdict.judge(plan, planted(), CLEAN)[0]:
        assert one.sentence.startswith("On ")
        assert one.sentence.endswith(".")
        if one.effect_label in ("supported", "refuted", "inconclusive"):
            assert "This does not establish it for" in one.sentence
            assert "with 12 seeds" in one.sentence


def test_the_document_is_strict_json_with_every_field(plan):
    verdicts, gates = verdict.judge(plan, planted(n=5), CLEAN)
    written = summary.document(plan, verdicts, gates, CLEAN, None, [])
    text = json.dumps(written, allow_nan=False)
    (claim,) = json.loads(text)["claims"]
    assert all(set(one) == set(asdict(verdicts[0])) for one in claim["verdicts"])
    assert sum(claim["counts"].values()) == sum(one.planned for one in verdicts)
    assert math.isinf(judged(plan, planted(n=5), "claim/weight").interval[0])
    weight = next(one for one in claim["verdicts"] if one["hypothesis"] == "claim/weight" and one["n"])
    assert weight["interval"] == [None, None]


def test_the_terminal_has_one_line_a_claim(plan):
    verdicts, _ = verdict.judge(plan, planted(), CLEAN)
    assert summary.terminal(plan, verdicts).row_count == 1


def test_the_labels_are_those_of_the_scheme(plan):
    tables = [planted(barrier=effect) for effect in (-1.2, -0.5, 0.0, 1.2)]
    found = itertools.chain.from_iterable(verdict.judge(plan, table, CLEAN)[0] for table in tables)
    assert {one.effect_label for one in found} <= set(summary.LABELS)


def test_a_sentence_names_all_other_regimes_or_any(plan, page, load_page):
    assert judged(plan, planted()).sentence.endswith("This does not establish it for the real thing.")
    page["regimes"].pop("real")
    for hypothesis in page["claims"][0]["hypotheses"]:
        hypothesis.pop("skip", None)
        hypothesis["regimes"] = ["toy/*"]
    assert judged(load_page(page), planted()).sentence.endswith("This does not establish it for any other system.")


def test_a_metric_that_is_unfit_for_sound_carries_no_verdict_there_and_does_on_toys(page, load_page):
    page["regimes"]["real"]["sound"] = True
    plan = load_page(page)
    table = pd.concat([planted(), planted(n=6, regime="real", adapter="dora")])
    verdicts, _ = verdict.judge(plan, table, CLEAN, unfit={"risk": "does not separate flat from contrast"})
    found = {one.regime: one for one in verdicts if one.hypothesis == "claim/risk" and one.n + len(one.reason) > 0}
    assert found["real"].effect_label == "not tested"
    assert "does not separate flat from contrast" in found["real"].reason
    assert next(v for v in verdicts if v.regime == "toy/one" and v.run == "short").effect_label == "supported"
