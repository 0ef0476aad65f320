"""The committed registry, and the faults that loading names."""

from collections import Counter
from dataclasses import replace

import pytest

from eisbach.arms import Arm
from eisbach.errors import UserError
from eisbach.pipeline import params
from predictions import proofs
from predictions.counterexamples.searches import SEARCHES
from predictions.judge.outcomes import pivot
from predictions.registry import load as registry
from predictions.registry.schema import (
    KINDS,
    Conjunction,
    Difference,
    Equivalence,
    Exact,
    Measured,
    Statistical,
    Trend,
    Universal,
    subtracted,
)
from toy_models import experiment, ideal

PAPER = {
    "direction", "curriculum", "noise-level", "lambda-range", "seed-consistency", "adapter", "entropy-loss",
    "structure", "no-collapse",
}  # fmt: skip


def hypothesis(page, index):
    return page["claims"][0]["hypotheses"][index]


def update(index, **keys):
    return lambda page: hypothesis(page, index).update(keys)


def test_every_claim_of_the_paper_has_a_hypothesis_that_numbers_can_judge():
    plan = registry.load()
    assert {claim.id for claim in plan.claims} == PAPER
    for claim in plan.claims:
        assert any(isinstance(one, Measured) and one.regimes for one in claim.hypotheses)


@pytest.mark.parametrize("regime", ["analytic", "densities/two_moons", "trajectories/c2", "trajectories/dit"])
def test_every_metric_registered_on_a_toy_is_measured_there(regime):
    """Every metric of every arm, in a run too short to mean anything; controls may be missing, which verdicts say."""
    tiny = replace(params.load().toys, length=0.003, samples=8, heldout=4)
    run = ideal.analytic([1000], tiny) if regime == "analytic" else experiment.run(regime, [1000], tiny)
    rows, plan = run["outcomes"].assign(table=""), registry.load()
    pattern = plan.pattern(regime)
    tables = {run: pivot(rows[rows["run"] == run], "full") for run in plan.regimes[pattern].runs}
    asked = [
        (one, tables[run])
        for one in plan.hypotheses
        if isinstance(one, Measured) and pattern in one.regimes and regime not in one.skip
        for run in one.runs or plan.regimes[pattern].runs
    ]
    for one, table in asked:
        metric = one.metric_on(pattern)
        other = one.against_metric_on(pattern) if isinstance(one, Difference) else metric
        terms = [(arm, metric) for arm in one.arms] + [(arm, other) for arm in subtracted(one)]
        if isinstance(one, Difference | Equivalence):
            terms += [(Arm("baseline"), required) for required in one.requires]
        for arm, name in terms:
            assert len(table.values(arm, name, one.optimizer)) == 1, (one.id, arm, name)
    assert len(asked) > 5


def test_a_primary_family_is_small_enough_for_nine_seeds():
    plan = registry.load()
    tested = [one for one in plan.hypotheses if isinstance(one, Statistical)]
    for name, regime in plan.regimes.items():
        primary = [one for one in tested if name in one.regimes and one.family == "primary"]
        for run in regime.runs:
            assert sum(run in (one.runs or [run]) for one in primary) <= 13, name


def test_families_are_primary_or_secondary():
    plan = registry.load()
    assert {one.family for one in plan.hypotheses if isinstance(one, Statistical)} == {"primary", "secondary"}
    assert {one.family for one in plan.hypotheses if isinstance(one, Universal)} == {None, "secondary"}


def test_every_proof_that_is_named_exists():
    named = {one.proof for one in registry.load().hypotheses if one.proof}
    assert named <= {derive.__name__ for derive in proofs.PROOFS}
    assert named


def test_every_search_that_is_named_exists():
    named = {one.search for one in registry.load().hypotheses if isinstance(one, Universal)}
    assert named <= {name for name, _ in SEARCHES}
    assert named


def test_the_head_of_the_registry_explains_every_kind():
    head = registry.REGISTRY.read_text().partition("\nconfirmatory")[0]
    assert len(set(KINDS)) == 9
    assert all(f"#   {kind} " in head for kind in KINDS)


def test_no_two_hypotheses_have_the_same_statement():
    counts = Counter(one.statement for one in registry.load().hypotheses)
    assert max(counts.values()) == 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (update(0, colour="red"), "claim/risk: unknown key 'colour' for kind difference"),
        (update(0, bound=1.0), "claim/risk: unknown key 'bound' for kind difference"),
        (update(1, requires={"risk": 1.0}), "claim/weight: unknown key 'requires' for kind"),
        (update(1, bound="high"), "claim/weight: 'bound' is 'high': input should be"),
        (update(1, kind="guess"), "claim/weight: 'kind' is 'guess'; choose one of"),
        (lambda page: hypothesis(page, 1).pop("kind"), "claim/weight: 'kind' is None"),
        (lambda page: hypothesis(page, 0).pop("metric"), "claim/risk: 'metric' is missing"),
        (update(0, arms=[]), "claim/risk: 'arms' is []: list should have at least 1 item"),
        (update(0, arms=["barrier at 0.5"]), "claim/risk: 'arms': 'barrier at 0.5' is not an"),
        (update(0, arms=["trace~barrier"]), "claim/risk: 'arms': 'trace~barrier' names"),
        (update(1, id="claim/risk"), "duplicate id 'claim/risk'"),
        (update(2, parts=["claim/gone"]), "claim/both: the part 'claim/gone' is not a hyp"),
        (update(0, regimes=["toy/*"]), "claim/risk: name 'real' exactly once"),
        (lambda page: hypothesis(page, 0)["regimes"].append("moon"), "claim/risk: 'moon' is not a regime"),
        (lambda page: hypothesis(page, 1)["skip"].update({"real/1": "?"}), "claim/weight: 'real/1' is not a regime"),
        (update(0, against=["barrier@0.5"]), "claim/risk: 'barrier@0.5' is on both sides"),
        (update(0, metric={"toy/*": "risk"}), "claim/risk: 'metric' must name a metric"),
        (update(0, runs=["short"]), "claim/both: the part 'claim/risk' is not judged in"),
        (lambda page: page["regimes"]["real"].pop("gate"), "claim/risk: the verdict depends on the gate, and 'real'"),
        (lambda page: page["regimes"]["real"].update(colour="red"), "unknown key 'regimes.real.colour'"),
        (lambda page: page.pop("confirmatory"), "'confirmatory' is missing"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_hypothesis_and_key(page, load_page, change, named):
    change(page)
    with pytest.raises(UserError) as error:
        load_page(page)
    assert "registry.yaml: " in str(error.value)
    assert named in str(error.value)


def test_a_part_that_is_not_judged_where_the_conjunction_is_is_named(page, load_page):
    whole = hypothesis(page, 2)
    whole["regimes"], whole["skip"] = ["toy/*", "real"], {}
    with pytest.raises(UserError, match="claim/both: the part 'claim/weight' is not judged on 'real'"):
        load_page(page)


def test_a_trend_needs_a_lambda_for_every_arm(page, load_page):
    first = hypothesis(page, 0)
    del first["controls"], first["against"]
    first |= {"kind": "trend", "arms": ["barrier@0.3", "barrier"]}
    with pytest.raises(UserError, match="claim/risk: 'barrier' has no lambda, which a trend needs"):
        load_page(page)


def test_a_missing_registry_is_named(tmp_path):
    with pytest.raises(UserError, match=r"gone\.yaml is missing"):
        registry.load(tmp_path / "gone.yaml")


def test_an_unreadable_registry_is_named(tmp_path):
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(UserError, match=r"bad\.yaml is not readable"):
        registry.load(tmp_path / "bad.yaml")


def test_each_kind_becomes_its_own_class(plan):
    risk, _, both = plan.hypotheses
    assert isinstance(risk, Difference)
    assert isinstance(both, Conjunction)
    assert not isinstance(risk, Trend | Exact)
    assert risk.arms == [Arm("barrier", 0.5)]


def test_a_metric_may_have_a_name_for_each_regime(page, load_page):
    hypothesis(page, 0)["metric"] = {"toy/*": "risk", "real": "loss"}
    (risk, *_) = load_page(page).hypotheses
    assert (risk.metric_on("toy/*"), risk.metric_on("real")) == ("risk", "loss")


def test_the_primary_family_and_statements_without_a_family_decide_a_claim(page, load_page):
    assert [one.deciding for one in load_page(page).hypotheses] == [True, True, True]
    hypothesis(page, 0)["family"] = "secondary"
    assert [one.deciding for one in load_page(page).hypotheses] == [False, True, True]
