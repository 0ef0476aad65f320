import shutil
import subprocess
from collections import Counter
from dataclasses import replace

import pytest

from eisbach.errors import UserError
from eisbach.pipeline import params
from predictions import proofs
from predictions.counterexamples.searches import SEARCHES
from predictions.judge import outcomes
from predictions.registry import load as registry
from predictions.registry.schema import NUMERIC, Arm, arm
from toy_models import experiment, ideal

PAPER = {
    "direction", "curriculum", "noise-level", "lambda-range", "seed-consistency", "adapter", "entropy-loss",
    "structure", "no-collapse",
}  # fmt: skip


def hypothesis(page, index):
    return page["claims"][0]["hypotheses"][index]


def test_every_claim_of_the_paper_has_a_hypothesis_that_can_be_judged_somewhere():
    plan = registry.load()
    assert {claim.id for claim in plan.claims} == PAPER
    for claim in plan.claims:
        assert any(one.kind in NUMERIC and one.regimes for one in claim.hypotheses)


@pytest.mark.parametrize("regime", ["analytic", "densities/two_moons", "trajectories/c2", "trajectories/dit"])
def test_what_is_registered_on_a_toy_is_measured_there(regime):
    """Every metric of every arm, from a run too short to mean anything; controls may be missing, which verdicts say."""
    tiny = replace(params.load().toys, length=0.003, samples=8, heldout=4)
    run = ideal.analytic([1000], tiny) if regime == "analytic" else experiment.run(regime, [1000], tiny)
    rows, plan = run["outcomes"], registry.load()
    pattern = plan.pattern(regime)
    asked = [
        (one, rows[(rows["optimizer"] == one.optimizer) & (rows["run"] == run)])
        for _, one in plan.hypotheses
        for run in one.runs or plan.regimes[pattern].runs
        if one.kind in NUMERIC and pattern in one.regimes and regime not in one.skip
    ]
    for one, of_run in asked:
        for text in (*one.arms, *one.against):
            named = replace(arm(text), adapter=arm(text).adapter or "full")
            metric = (one.against_metric if text in one.against else "") or one.metric
            assert len(outcomes.seed_values(of_run, named, metric)) == 1
        for metric in one.requires:
            assert len(outcomes.seed_values(of_run, Arm("baseline", adapter="full"), metric)) == 1
    assert len(asked) > 5


def test_a_family_is_small_enough_for_nine_seeds():
    plan = registry.load()
    for regime in plan.regimes:
        primary = [h for _, h in plan.hypotheses if regime in h.regimes and h.family == "primary"]
        for run in plan.regimes[regime].runs:
            assert sum(run in (one.runs or [run]) for one in primary) <= 13, regime
        assert {h.family for _, h in plan.hypotheses} == {"primary", "secondary", ""}


def test_every_proof_and_search_that_is_named_exists():
    names = {derive.__name__ for derive in proofs.PROOFS}
    searches = {name for name, _ in SEARCHES}
    for _, one in registry.load().hypotheses:
        assert not one.proof or one.proof in names
        assert not one.search or one.search in searches


def test_the_head_of_the_registry_explains_every_kind():
    head = registry.REGISTRY.read_text().partition("\nconfirmatory")[0]
    assert all(f"#   {kind} " in head for kind in registry._NEEDS)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda page: hypothesis(page, 0).update(colour="red"), "colour"),
        (lambda page: hypothesis(page, 0).update(bound="high"), "bound"),
        (lambda page: hypothesis(page, 0).pop("metric"), "'metric' is missing from claim/risk"),
        (lambda page: hypothesis(page, 0).update(bound=1.0), "'bound' means nothing to kind difference in claim/risk"),
        (lambda page: hypothesis(page, 0).update(arms=["barrier at 0.5"]), "'barrier at 0.5' is no arm"),
        (lambda page: hypothesis(page, 1).update(id="claim/risk"), "'claim/risk' stands twice"),
        (lambda page: hypothesis(page, 2).update(parts=["claim/gone"]), "the part 'claim/gone'"),
        (lambda page: hypothesis(page, 0).update(regimes=["toy/*"]), "claim/risk must name 'real' once"),
        (lambda page: hypothesis(page, 0)["regimes"].append("moon"), "'moon', which is no regime"),
        (lambda page: hypothesis(page, 1)["skip"].update({"real/one": "not there"}), "'real/one', which is no regime"),
        (lambda page: hypothesis(page, 1).update(requires={"risk": 1.0}), "'requires' means nothing to kind bound"),
        (lambda page: hypothesis(page, 0).update(against=["barrier@0.5"]), "barrier@0.5 stands on both sides of claim"),
        (lambda page: page["regimes"]["real"].update(gate=""), "'real' has no gate"),
        (lambda page: page.pop("confirmatory"), "confirmatory"),
    ],
)
def test_a_fault_is_named(page, load_page, change, named):
    change(page)
    with pytest.raises(UserError) as error:
        load_page(page)
    assert named in str(error.value)


def test_a_missing_or_unreadable_registry_is_named(tmp_path):
    with pytest.raises(UserError, match=r"gone\.yaml is missing"):
        registry.load(tmp_path / "gone.yaml")
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(UserError, match=r"bad\.yaml is not readable"):
        registry.load(tmp_path / "bad.yaml")


def test_arms_are_read_as_they_are_written():
    assert arm("baseline") == Arm("baseline")
    assert arm("barrier@0.5:lora") == Arm("barrier", 0.5, "lora")
    assert all(str(arm(text)) == text for text in ("constant", "barrier@1", "baseline:dora", "barrier@0.5:lora"))


def test_a_comment_does_not_change_the_hash_and_a_margin_does(page, load_page):
    before = load_page(page)
    hypothesis(page, 0)["margin"] = 0.1
    after = load_page(page)
    assert registry.digest(before) != registry.digest(after)
    assert registry.changed(registry.digests(before), registry.digests(after)) == ["claim/risk"]


@pytest.fixture
def repository(tmp_path, page, load_page):
    """A git repository whose commit holds the page's registry."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    load_page(page)
    who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    for command in (["init", "-q"], ["add", "registry.yaml"], [*who, "commit", "-qm", "Register"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True, capture_output=True)
    return tmp_path


def test_confirmatory_seeds_refuse_to_start_from_an_edited_registry(repository, page, load_page):
    path, seal = repository / "registry.yaml", repository / "seal.json"
    registry.seal(registry.load(path), [100, 101], path, seal)
    assert '"sealed": true' in seal.read_text()
    path.write_text(path.read_text().replace("bound: 0.5", "bound: 0.4"))
    assert not registry.committed(path)
    with pytest.raises(UserError, match="confirmatory seeds cannot start"):
        registry.seal(registry.load(path), [100, 101], path, seal)
    registry.seal(registry.load(path), [0, 1], path, repository / "other.json")  # others may: they confirm nothing


def test_a_registry_edited_after_the_run_is_refused_by_name(repository):
    path, seal = repository / "registry.yaml", repository / "seal.json"
    registry.seal(registry.load(path), list(range(100, 112)), path, seal)
    registry.check_seal(registry.load(path), seal)
    path.write_text(path.read_text().replace("bound: 0.5", "bound: 0.4"))
    with pytest.raises(UserError, match=r"edited after the confirmatory run was sealed in .*: claim/weight;"):
        registry.check_seal(registry.load(path), seal)


def test_a_seal_survives_exploratory_seeds_and_holds_for_one_registry(repository):
    path, seal = repository / "registry.yaml", repository / "seal.json"
    assert not registry.sealed(registry.load(path), seal)  # none at all
    registry.seal(registry.load(path), [0, 1], path, seal)
    assert not registry.sealed(registry.load(path), seal)  # exploratory seeds need none
    registry.seal(registry.load(path), [100, 101], path, seal)
    made = seal.read_bytes()
    registry.seal(registry.load(path), [0, 1], path, seal)
    assert seal.read_bytes() == made
    assert registry.sealed(registry.load(path), seal)
    path.write_text(path.read_text().replace("bound: 0.5", "bound: 0.4"))
    registry.seal(registry.load(path), [0, 1], path, seal)
    assert not registry.sealed(registry.load(path), seal)
    with pytest.raises(UserError, match="claim/weight"):
        registry.check_seal(registry.load(path), seal)


def test_nothing_is_said_twice_in_the_registry():
    counts = Counter(one.statement for _, one in registry.load().hypotheses)
    assert max(counts.values()) == 1


def test_settings_that_are_not_committed_make_the_tree_unclean_and_dvc_s_lock_does_not(repository, monkeypatch):
    monkeypatch.setattr(registry.git, "__kwdefaults__", {"folder": repository})
    (repository / "dvc.lock").write_text("")
    assert registry.clean()
    (repository / "params.yaml").write_text("")
    assert not registry.clean()
