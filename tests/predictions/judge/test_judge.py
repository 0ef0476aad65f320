"""Verdicts on planted effects: effect and mechanism, missing results, seeds, regimes, runs."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks.calibration import labels
from eisbach.errors import UserError
from predictions.judge.judge import judge
from tests.predictions.conftest import CLEAN, planted
from tests.predictions.judge.trial import judged, pair, with_kind


def test_a_real_effect_is_supported_with_its_mechanism(plan):
    assert pair(judged(plan, planted())) == ("supported", "supported")


def test_a_verdict_carries_its_numbers(plan):
    found = judged(plan, planted())
    low, high = found.estimate.interval
    assert found.estimate.effect == pytest.approx(-1.2, abs=0.4)
    assert low < found.estimate.effect < high < -found.margin.value
    assert found.estimate.effect == pytest.approx(np.mean(found.sample.values))
    assert found.test.p <= found.test.p_holm < 0.05
    assert found.sample.seeds == tuple(range(12))
    assert found.sample.tables == ("planted.parquet",)
    assert found.metric == "risk"


def test_a_verdict_equals_itself_judged_again(plan):
    """No field is NaN, which would differ from itself."""
    table = planted(n=6)
    for one, again in zip(*(judge(plan, table, CLEAN).verdicts.values() for _ in range(2)), strict=True):
        assert one == again


@pytest.mark.parametrize(("planted_name", "wanted"), [(name, pair) for name, (_, pair) in labels.PLANTED.items()])
def test_planted_effects_get_the_right_pair_at_24_seeds(planted_name, wanted):
    """The share over hundreds of experiments and three shapes is in docs/calibration.md; here are four of each."""
    assert labels.right(planted_name, 24, "normal", 4)["right"] == 1, wanted


def test_a_control_that_does_as_well_refutes_the_mechanism_by_name(plan):
    found = judged(plan, planted(timestep=-1.2))
    assert pair(found) == ("supported", "refuted")
    assert "timestep@0.5 does as well" in found.mechanism.reason


def test_a_control_s_share_of_the_effect_is_in_the_verdict_and_its_sentence(plan):
    found = judged(plan, planted(timestep=-1.2))
    share = next(one.comparison.share for one in found.mechanism.controls if one.arm == "timestep@0.5")
    assert share == pytest.approx(1, abs=0.2)
    assert f"timestep@0.5 gives {share:.0%}" in found.sentence


def test_an_effect_within_the_margin_is_refuted(plan):
    assert judged(plan, planted(barrier=0.0)).label == "refuted"


def test_an_effect_whose_interval_reaches_the_margin_is_inconclusive(plan):
    found = judged(plan, planted(barrier=-0.5))
    assert found.label == "inconclusive"
    assert "too small to matter" in found.reason
    assert found.estimate.minimum_detectable > found.margin.value


def test_a_claim_in_the_other_direction_gets_the_mirrored_verdict(page, load_page):
    page["claims"][0]["hypotheses"][0]["direction"] = "higher"
    assert judged(load_page(page), planted()).label == "refuted"


def test_without_its_oracle_the_assay_has_failed(plan):
    table = planted()
    found = judged(plan, table[table["arm"] != "oracle"])
    assert found.label == "assay failed"
    assert "oracle@0.5" in found.reason
    assert found.test is found.estimate is None
    assert judged(plan, table[table["arm"] != "oracle"], "claim/both").label == "assay failed"


def test_an_ungated_hypothesis_needs_no_assay(plan):
    table = planted()
    assert judged(plan, table[table["arm"] != "oracle"], "claim/weight").label == "supported"


@pytest.mark.parametrize("broken", [{"oracle": 0.0}, {"oracle": 1.6}, {"constant": -0.8}])
def test_an_assay_that_misses_an_effect_or_finds_a_false_one_has_failed(plan, broken):
    assert judged(plan, planted(**broken)).label == "assay failed"


def test_a_missing_metric_is_not_tested_and_named(plan):
    table = planted()
    found = judged(plan, table[table["metric"] != "weight"], "claim/weight")
    assert (found.label, "'weight'" in found.reason) == ("not tested", True)


def test_a_missing_arm_is_not_tested_and_named(plan):
    table = planted()
    found = judged(plan, table[table["arm"] != "barrier"])
    assert (found.label, "barrier@0.5" in found.reason) == ("not tested", True)


def test_a_missing_run_is_not_tested_and_named(plan):
    found = judged(plan, planted(), run="converged")
    assert (found.label, "run 'converged'" in found.reason) == ("not tested", True)


def test_a_missing_regime_is_not_tested_and_named(plan):
    found = judged(plan, planted(), regime="real")
    assert (found.label, "no table has outcomes of regime 'real'" in found.reason) == ("not tested", True)


def test_a_missing_control_leaves_the_mechanism_not_tested(plan):
    table = planted()
    found = judged(plan, table[table["arm"] != "timestep"])
    assert pair(found) == ("supported", "not tested")
    assert "timestep@0.5" in found.mechanism.reason


def test_a_missing_optimizer_is_not_tested_and_named(page, load_page):
    plan = with_kind(page, load_page, direction="lower", optimizer="sgd")
    found = judged(plan, planted())
    assert (found.label, "no rows of optimizer 'sgd'" in found.reason) == ("not tested", True)


def test_a_skipped_regime_has_no_verdict(plan):
    verdicts = judge(plan, planted(regime="real", adapter="dora"), CLEAN).verdicts
    assert not [one for one in verdicts["claim/weight"] if one.regime == "real"]
    assert [one for one in verdicts["claim/risk"] if one.regime == "real"]


def test_one_regime_of_a_pattern_can_be_skipped(page, load_page):
    page["claims"][0]["hypotheses"] = page["claims"][0]["hypotheses"][:1]
    page["claims"][0]["hypotheses"][0]["skip"] = {"toy/two": "no adapter is trained there"}
    found = judge(load_page(page), pd.concat([planted(), planted(regime="toy/two")]), CLEAN).verdicts["claim/risk"]
    assert {one.regime for one in found} == {"toy/one", "real"}


def test_a_missing_seed_is_an_error_that_names_arm_and_seed(plan):
    table = planted()
    with pytest.raises(UserError, match=r"seed 7 is missing from arm 'barrier@0\.5'"):
        judged(plan, table[~((table["arm"] == "barrier") & (table["seed"] == 7))])


def test_six_seeds_can_decide_in_a_family_of_one(plan):
    found = judged(plan, planted(n=6, barrier=-2.5, oracle=-2.5, regime="real", adapter="dora"), regime="real")
    assert found.label == "supported"
    assert found.test.family_size == 1


def test_five_seeds_say_why_they_cannot_decide(plan):
    five = judged(plan, planted(n=5, regime="real", adapter="dora"), regime="real")
    assert five.label == "assay failed"
    assert "n = 5 cannot be significant" in five.reason


def test_a_family_that_is_too_large_for_its_seeds_says_so(plan):
    found = judged(plan, planted(n=6))
    assert found.label == "inconclusive"
    assert found.test.least_p_holm == pytest.approx(2 * 2 / 64)
    assert "6 seeds can give no p below 0.062 after Holm's correction for 2 tests" in found.reason


def test_regimes_and_runs_are_judged_by_themselves(plan):
    alone = judged(plan, planted())
    table = pd.concat([planted(), planted(regime="toy/two", barrier=1.2, seed=1), planted(run="converged", seed=2)])
    assert judged(plan, table) == alone
    assert judged(plan, table, regime="toy/two").label == "refuted"


def test_all_confirmatory_seeds_on_a_clean_tree_confirm(plan):
    assert judged(plan, planted(first=100)).status.label == "confirmatory"


@pytest.mark.parametrize("seeds", [range(12), range(100, 111)])
def test_other_seeds_or_fewer_confirm_nothing(plan, seeds):
    table = planted(first=seeds[0])
    assert judged(plan, table[table["seed"].isin(seeds)]).status.label == "exploratory"


@pytest.mark.parametrize(
    ("lacking", "reason"),
    [
        ("clean", "the working tree has changes that are not committed"),
        ("registry_committed", "the registry differs from the committed one"),
        ("sealed", "the registry was not sealed before these seeds were run"),
    ],
)
def test_without_a_clean_sealed_tree_nothing_is_confirmed_and_the_verdict_says_so(plan, lacking, reason):
    found = judged(plan, planted(first=100), checkout=replace(CLEAN, **{lacking: False}))
    assert (found.status.label, found.status.reason) == ("exploratory", reason)


def test_exploratory_seeds_take_no_part_in_a_confirmation(plan):
    found = judged(plan, pd.concat([planted(first=100), planted(seed=9, barrier=3.0)]))
    assert found.sample.seeds == tuple(range(100, 112))
    assert found == judged(plan, planted(first=100))


def test_the_order_of_rows_does_not_matter(plan):
    table = planted()
    assert judged(plan, table.sample(frac=1, random_state=0)) == judged(plan, table)


def test_a_metric_may_have_another_name_on_another_regime(page, load_page):
    table = pd.concat([planted(), planted(n=9, regime="real", adapter="dora")])
    plan = with_kind(page, load_page, direction="lower", metric={"toy/*": "toy_risk", "real": "risk"})
    toy = table[(table["regime"] != "real") & (table["metric"] == "risk")]
    both = pd.concat([table, toy.assign(metric="toy_risk")])
    assert judged(plan, both).metric == "toy_risk"
    assert judged(plan, both, regime="real").metric == "risk"
    assert judged(plan, both).label == judged(plan, both, regime="real").label == "supported"


def test_an_invalid_metric_carries_no_verdict_on_sound_and_does_on_toys(page, load_page):
    page["regimes"]["real"]["sound"] = True
    plan = load_page(page)
    table = pd.concat([planted(), planted(n=6, regime="real", adapter="dora")])
    invalid = {"risk": "does not separate flat from contrast"}
    found = judged(plan, table, regime="real", invalid=invalid)
    assert found.label == "not tested"
    assert "does not separate flat from contrast" in found.reason
    assert judged(plan, table, invalid=invalid).label == "supported"
