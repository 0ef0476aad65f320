"""The judge on planted outcomes: words, gate, mechanism, family, and what is lost, missing or invalid."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.calibration import plant
from eisbach.errors import UserError
from predictions.judge import statistics
from predictions.judge.judge import Seal, judge
from predictions.registry.schema import Margin
from tests.predictions.conftest import judged, planted
from tests.predictions.judge.test_pieces import grid


def atom(page, index=0):
    return page["claims"][0]["atoms"][index]


def with_kind(page, load_page, **changes):
    """A registry whose first atom is of another kind; None removes a key."""
    atoms = page["claims"][0]["atoms"]
    changed = {key: value for key, value in (atoms[0] | changes).items() if value is not None}
    return load_page(page | {"claims": [page["claims"][0] | {"atoms": [changed, *atoms[1:]]}]})


@pytest.mark.parametrize(
    ("effect", "word", "below"),
    [
        (-2.0, "holds", False),
        (-1.0, "present", False),
        (-0.4, "present", True),
        (0.0, "absent", False),
        (0.4, "opposite", True),
        (2.0, "opposite", False),
    ],
)
def test_a_planted_effect_gets_its_word(plan, effect, word, below):
    found = judged(plan, planted(n=24, barrier=effect, spread=0.2))
    assert (found.word, found.below) == (word, below)


def test_x_is_positive_in_the_claim_s_direction(page, load_page):
    falls = judged(load_page(page), planted())
    rises = judged(with_kind(page, load_page, direction="higher"), planted())
    assert falls.effect.mean == pytest.approx(2, abs=0.3)
    assert rises.effect.mean == pytest.approx(-falls.effect.mean)
    assert (falls.word, rises.word) == ("holds", "opposite")


def test_the_deciding_interval_is_at_the_family_s_level_and_the_plain_one_beside_it(plan):
    found, family = judged(plan, planted()), len(plan.deciding("toy"))
    values = np.array(found.sample.values)
    np.testing.assert_allclose(found.effect.interval, statistics.sign_flip_interval(values, 0.05 / family))
    np.testing.assert_allclose(found.effect.interval_95, statistics.sign_flip_interval(values, 0.05))
    assert found.effect.detectable == pytest.approx(np.ptp(found.effect.interval) / 2)


def test_the_family_s_size_is_registered_whatever_is_measured_lost_or_invalid(plan):
    whole = planted()
    wanted = judged(plan, whole)
    without = whole[whole["metric"] != "weight"]
    assert judge(plan, without).systems["toy"].family == 2
    assert judged(plan, without).effect == wanted.effect
    assert judged(plan, without, atom="claim/weight").word == "not tested"


def test_an_atom_that_does_not_decide_leaves_the_family(page, load_page):
    plan = with_kind(page, load_page, decides=False, why_not="a detail")
    assert judge(plan, planted()).systems["toy"].family == 1
    assert not judged(plan, planted()).decides


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 1000), st.integers(-1000, 1000))
def test_order_of_rows_and_a_common_shift_of_all_arms_change_no_word(plan, order, shift):
    table = planted()
    risk = table["metric"] == "risk"
    moved = table.assign(value=table["value"] + shift * risk).sample(frac=1, random_state=order)
    one, other = judged(plan, table), judged(plan, moved)
    np.testing.assert_allclose(one.sample.values, other.sample.values, atol=1e-9)
    assert (one.word, one.below, one.mechanism.label) == (other.word, other.below, other.mechanism.label)


def test_a_log_scale_gives_the_log_ratio_and_needs_positive_numbers(page, load_page):
    atom(page)["on"]["toy"] = {"metric": "risk", "scale": "log", "control": "curriculum", "margin": 0.01}
    plan, table = load_page(page), planted()
    wide = table[table["metric"] == "risk"].pivot(index="seed", columns="arm", values="value")
    wanted = -np.log(wide["barrier"] / wide["baseline"])
    np.testing.assert_allclose(judged(plan, table).sample.values, wanted)
    negative = table.assign(value=table["value"].where(table["metric"] != "risk", table["value"] - 50))
    found = judged(plan, negative)
    assert (found.word, found.reason) == ("not tested", "'risk' is not positive for every seed, so it has no logarithm")


@pytest.mark.parametrize(
    ("kind", "effect", "word"),
    [
        ("no_less", -0.2, "kept"),
        ("no_less", 2.0, "lost"),
        ("no_less", 1.0, "undecided"),
        ("equal", 0.0, "equal"),
        ("equal", -2.0, "unequal"),
        ("equal", 1.0, "undecided"),
    ],
)
def test_the_kinds_that_claim_no_change(page, load_page, kind, effect, word):
    plan = with_kind(page, load_page, kind=kind, mechanism=None)
    assert judged(plan, planted(barrier=effect, spread=0.3)).word == word


def test_a_bound_is_read_off_the_distance_to_it(page, load_page):
    assert judged(load_page(page), planted(), atom="claim/weight").word == "holds"
    atom(page, 1)["bound"] = 0.9
    fails = judged(load_page(page), planted(), atom="claim/weight")
    assert (fails.word, fails.margin) == ("fails", 0.0)
    assert fails.effect.mean == pytest.approx(-0.2, abs=0.02)


# --- the gate


@pytest.mark.parametrize(("effect", "word"), [(0.0, "insensitive"), (-2.0, "holds"), (2.0, "opposite")])
@pytest.mark.parametrize("failing", [{"trained": 0.0}, {"trained": -0.1}, {"class": 0.0, "class_reversed": 0.0}])
def test_a_failed_gate_silences_only_what_is_not_seen(plan, effect, word, failing):
    found = judged(plan, planted(regime="real", barrier=effect, spread=0.3, **failing), system="real")
    assert found.word == word
    if word == "insensitive":
        wanted = "training is not shown" if "trained" in failing else "the positive control is not detected"
        assert wanted in found.reason


def test_a_control_that_acts_the_other_way_fails_unless_that_is_its_registered_direction(page, load_page):
    table = planted(barrier=0.0, **{"class": 4.0, "class_reversed": -4.0})
    against = judged(load_page(page), table)
    assert (against.word, against.control.passed) == ("insensitive", False)
    assert against.control.p > 0.99
    assert "p = 1" in against.reason
    atom(page)["on"]["toy"] = atom(page)["on"]["toy"] | {"control_acts": "against"}
    along = judged(load_page(page), table)
    assert (along.word, along.control.passed) == ("absent", True)


def test_half_of_forth_and_back_is_the_control_s_effect(plan):
    table = planted()
    wide = table[table["metric"] == "risk"].pivot(index="seed", columns="arm", values="value")
    found = judged(plan, table).control
    assert found.effect == pytest.approx(-(wide["class"] - wide["class_reversed"]).mean() / 2)
    assert found.share.value == pytest.approx(judged(plan, table).effect.mean / found.effect)


@pytest.mark.parametrize("effect", [0.0, -2.0])
def test_where_constant_leaves_its_tolerance_nothing_about_training_is_tested(plan, effect):
    found = judge(plan, planted(barrier=effect, constant=0.06)).verdicts
    assert found["claim/risk"][0].word == "not tested"
    assert "6 % of loss" in found["claim/risk"][0].reason
    assert found["claim/weight"][0].word == "holds"  # of a model as it is


def test_a_constant_that_was_not_trained_is_not_taken_for_equal(plan):
    table = planted()
    found = judged(plan, table[table["arm"] != "constant"])
    assert found.word == "not tested"
    assert "not measured" in found.reason


def test_a_control_that_was_not_trained_is_named(plan):
    table = planted()
    found = judged(plan, table[table["arm"] != "class_reversed"])
    assert (found.word, found.reason) == ("not tested", "the table has no arm 'class_reversed' with metric 'risk'")


# --- mechanism


@pytest.mark.parametrize(
    ("others", "label", "by"),
    [
        ({}, "sample-specific", None),
        ({"timestep": -2.0}, "explained by", "timestep@0.5"),
        ({"shuffled": -2.0}, "explained by", "shuffled@0.5"),
        ({"shuffled": -1.8, "spread": 2.0}, "undecided", None),
    ],
)
def test_the_mechanism_of_an_effect(plan, others, label, by):
    found = judged(plan, planted(n=16, **({"barrier": -4.0} if "spread" in others else {}) | {"spread": 0.3} | others))
    if label == "undecided":
        assert found.mechanism.label in ("undecided", "sample-specific")
        return
    assert (found.mechanism.label, found.mechanism.by) == (label, by)


@pytest.mark.parametrize("effect", [0.0, 2.0])
def test_an_effect_that_is_not_there_has_no_mechanism(plan, effect):
    assert judged(plan, planted(barrier=effect)).mechanism is None


def test_a_control_that_was_not_trained_explains_nothing_and_is_listed(plan):
    table = planted()
    found = judged(plan, table[table["arm"] != "timestep"]).mechanism
    assert [(one.arm, one.word) for one in found.controls] == [
        ("shuffled@0.5", "holds"),
        ("timestep@0.5", "not tested"),
    ]
    assert judged(plan, table[~table["arm"].isin(["timestep", "shuffled"])]).mechanism.label == "not tested"


def test_a_pair_is_the_interaction_of_two_by_two(page, load_page):
    plan = with_kind(
        page, load_page, mechanism=None, plus=["barrier@0.5"], minus=["shuffled@0.5"], pair=["timestep@0.5", "baseline"]
    )
    table = planted(timestep=-1.5, shuffled=0.5)
    wide = table[table["metric"] == "risk"].pivot(index="seed", columns="arm", values="value")
    wanted = -((wide["barrier"] - wide["shuffled"]) - (wide["timestep"] - wide["baseline"]))
    (found,) = judged(plan, table).mechanism.controls
    assert found.effect.mean == pytest.approx(wanted.mean())


# --- intersections


def with_parts(page, load_page):
    changes = {"metric": None, "kind": "intersection", "direction": "higher", "bound": 0.0, "parts": ["a", "b", "c"]}
    changes |= {"mechanism": None, "on": {"toy": {"metric": "w"}}, "not_on": {"real": "no"}}
    return with_kind(page, load_page, **changes)


def parts(rng, truths, n=12):
    rows = {
        ("baseline", f"w/{name}"): value + rng.standard_normal(n) for name, value in zip("abc", truths, strict=True)
    }
    return pd.concat([planted(n=n), plant.table(rows, "toy/one").assign(table="planted.parquet")])


def test_an_intersection_holds_the_smallest_true_value(page, load_page):
    plan, missed = with_parts(page, load_page), 0
    for index in range(25):
        found = judged(plan, parts(np.random.default_rng(index), (1.0, 1.2, 3.0)))
        low, high = found.effect.interval
        missed += not low <= 1.0 <= (np.inf if high is None else high)
    assert missed <= 3  # 0.025 of 25 are registered; three standard errors more


def test_one_bad_part_is_enough_to_fail_and_never_hidden_by_good_ones(page, load_page):
    plan = with_parts(page, load_page)
    assert judged(plan, parts(np.random.default_rng(0), (5, 5, 5))).word == "holds"
    assert judged(plan, parts(np.random.default_rng(0), (5, -5, 5))).word == "fails"
    assert judged(plan, parts(np.random.default_rng(0), (5, 0, 5))).word == "undecided"


# --- seeds, members, invalid metrics


def diverged(seed, regime="toy/one", optimizer="adamw", arm="barrier"):
    row = (
        planted().iloc[[0]].assign(metric="diverged", value=1.0, seed=seed, regime=regime, optimizer=optimizer, arm=arm)
    )
    return row


def test_a_lost_seed_is_lost_for_every_arm_listed_and_counted_out(plan):
    table = pd.concat([planted(), diverged(3)])
    found = judge(plan, table).systems["toy"]
    assert (found.lost, 3 in found.seeds) == ((3,), False)
    verdict = judged(plan, table)
    assert 3 not in verdict.sample.seeds
    assert verdict.effect == judged(plan, table[table["seed"] != 3]).effect


def test_a_seed_that_another_optimizer_lost_is_not_lost(plan):
    table = pd.concat([planted(), diverged(3, optimizer="sgd")])
    assert judge(plan, table).systems["toy"].lost == ()
    assert judged(plan, table).sample.n == 12


@pytest.mark.parametrize(("n", "word"), [(5, "not tested"), (6, "undecided"), (9, "holds")])
def test_few_seeds_say_little(plan, n, word):
    found = judged(plan, planted(n=n, barrier=-3.0, spread=0.2))
    assert found.word in (word, "insensitive")
    assert (found.effect is None) == (n < 6)


def test_a_seed_lost_by_one_member_is_lost_for_the_mean(plan):
    table = pd.concat([planted(), planted(regime="toy/two", seed=1), diverged(3, regime="toy/two")])
    found = judged(plan, table).sample
    assert set(found.members) == {"toy/one", "toy/two"}
    assert found.seeds == tuple(seed for seed in range(12) if seed != 3)


def test_the_number_of_a_seed_is_the_mean_over_members_and_k_of_m_counts_them(plan):
    tables = [planted(), planted(regime="toy/two", seed=1), planted(regime="toy/three", seed=2, barrier=1.0)]
    found = judged(plan, pd.concat(tables)).sample
    alone = [np.array(judged(plan, one).sample.values) for one in tables]
    np.testing.assert_allclose(found.values, np.mean(alone, axis=0))
    assert (found.agreeing, len(found.members)) == (2, 3)
    assert found.members["toy/three"] == pytest.approx(alone[2].mean())


def test_an_invalid_metric_decides_nothing_on_sound_and_something_elsewhere(plan):
    both = pd.concat([planted(), planted(regime="real")])
    invalid = {"risk": "it separates nothing"}
    found = judged(plan, both, system="real", invalid=invalid)
    assert (found.word, found.reason) == ("not tested", "the metric risk is invalid: it separates nothing")
    assert judged(plan, both, invalid=invalid).word == "holds"


def test_seeds_that_are_one_run_are_refused(plan):
    table = planted()
    copied = table[table["seed"] == 0].assign(seed=12)
    with pytest.raises(UserError, match="seeds 0 and 12 of regime 'toy/one' agree in all"):
        judge(plan, pd.concat([table, copied]))


def test_an_arm_that_lacks_a_seed_is_refused_by_name(plan):
    table = planted()
    hole = (table["arm"] == "barrier") & (table["seed"] == 4)
    with pytest.raises(UserError, match=r"seed 4 has not both barrier@0\.5 and baseline"):
        judge(plan, table[~hole])


def test_one_outlier_that_makes_the_mean_does_not_make_a_word(plan):
    table = planted(spread=0.1)
    barrier, baseline = ((table["arm"] == arm) & (table["metric"] == "risk") for arm in ("barrier", "baseline"))
    apart = np.array([-60.0, *[0.05, -0.05] * 5, 0.0])
    table.loc[barrier, "value"] = table.loc[baseline, "value"].to_numpy() + apart
    found = judged(plan, table)
    assert found.effect.mean > 4
    assert found.word == "undecided"


# --- exploratory or confirmatory


def status(plan, table, broken=None):
    return judge(plan, table, seal=Seal(broken)).systems["toy"].status


def test_all_sealed_confirmatory_seeds_are_confirmatory_and_judged_alone(plan):
    table = pd.concat([planted(), planted(first=100, seed=5, barrier=0.0)])
    assert status(plan, table).label == "confirmatory"
    assert judged(plan, table, seal=Seal(None)).sample.seeds == tuple(range(100, 112))


def test_a_broken_seal_makes_them_exploratory_with_the_reason(plan):
    found = status(plan, planted(first=100), broken="changed after the seal: settings: finetune")
    assert (found.label, found.reason) == ("exploratory", "changed after the seal: settings: finetune")


def test_a_missing_confirmatory_seed_in_one_member_makes_them_exploratory(plan):
    short = planted(first=100, regime="toy/two", seed=1)
    table = pd.concat([planted(first=100), short[short["seed"] != 105]])
    found = status(plan, table)
    assert found.label == "exploratory"
    assert "1 of the 12 confirmatory seeds are missing" in found.reason


def test_seeds_that_froze_the_margins_are_named(plan):
    found = status(plan, pd.concat([planted(), planted(first=1100, seed=4)]))
    assert "12 that are neither exploratory nor confirmatory (some of them froze the margins)" in found.reason


def test_nothing_that_was_not_run_has_a_word(plan):
    found = judge(plan, planted())
    assert found.systems["real"].status is None
    assert found.verdicts["claim/risk"][1].reason == "nothing was run on this system"


def test_weights_of_a_given_model_are_judged_over_pieces_without_seeds(page, load_page):
    atom(page, 1)["on"]["toy"] = {"metric": "w/t<0.2", "over": "pieces"}
    of = grid(np.random.default_rng(0))
    found = judged(load_page(page), planted().iloc[:0], atom="claim/weight", grids={"toy": of})
    assert (found.word, found.sample.blocks, found.sample.n) == ("holds", "pieces", 12)
    assert found.effect.mean == pytest.approx(of.w[of.times < 0.2].mean() - 0.5)
    nothing = judged(load_page(page), planted(), atom="claim/weight")
    assert (nothing.word, nothing.effect) == ("not tested", None)


def test_a_log_ratio_of_two_weights_over_pieces_is_one(page, load_page):
    on = {"metric": "w/t<0.2", "minus_metric": "w/t>0.8", "scale": "log", "over": "pieces", "margin": 0.1}
    changes = {"plus": ["baseline"], "minus": ["baseline"], "mechanism": None, "on": {"toy": on}}
    plan = with_kind(page, load_page, **changes, not_on={"real": "no"}, direction="higher")
    of = grid(np.random.default_rng(0))
    found = judged(plan, planted(), grids={"toy": of})
    wanted = np.log(of.w[of.times < 0.2].mean() / of.w[of.times > 0.8].mean())
    assert found.effect.mean == pytest.approx(wanted)


def test_a_frozen_margin_is_used_where_the_registry_has_none(page, load_page):
    atom(page)["on"]["toy"] = {"metric": "risk", "control": "curriculum"}
    plan = load_page(page)
    frozen = Margin(margin=1.0, acts="along", control=4.0, error=0.1, p=0.0, reach=0.5, because="a quarter")
    assert judged(plan, planted()).margin is None
    assert judged(plan, planted()).word == "present"  # without a margin nothing holds and nothing is absent
    assert judged(plan, planted(barrier=0.0)).word == "undecided"
    found = judged(replace(plan, margins={"claim/risk": {"toy": frozen}}), planted())
    assert (found.word, found.margin, found.reach) == ("holds", 1.0, 0.5)
