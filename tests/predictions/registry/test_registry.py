"""The committed registry, and the faults that loading names."""

from collections import Counter
from dataclasses import replace

import pytest

from eisbach.arms import Arm
from eisbach.errors import UserError
from eisbach.pipeline import params
from predictions import proofs
from predictions.counterexamples.searches import SEARCHES
from predictions.judge import statistics
from predictions.judge.outcomes import pivot
from predictions.registry import load as registry
from predictions.registry.schema import Compared, Difference, Intersection
from toy_models import experiment, ideal

PAPER = {
    "direction", "curriculum", "noise-level", "lambda-range", "seed-consistency", "adapter", "entropy-loss",
    "structure", "no-collapse",
}  # fmt: skip


def atom(page, index=0):
    return page["claims"][0]["atoms"][index]


def update(index, **keys):
    return lambda page: atom(page, index).update(keys)


def on(index, **keys):
    return lambda page: atom(page, index)["on"].update(toy=atom(page, index)["on"]["toy"] | keys)


def test_every_claim_of_the_paper_has_an_atom_or_an_algebra_that_decides():
    plan = registry.load()
    assert {claim.id for claim in plan.claims} == PAPER
    for claim in plan.claims:
        assert claim.algebra or any(one.decides for one in claim.atoms), claim.id


@pytest.mark.parametrize("regime", ["analytic", "densities/two_moons", "trajectories/c2"])
def test_every_metric_registered_on_a_toy_is_measured_there(regime):
    """Every metric of the baseline, in a run too short to mean anything."""
    tiny = replace(params.load().toys, length=0.003, samples=8, heldout=4)
    run = ideal.analytic([1000], tiny) if regime == "analytic" else experiment.run(regime, [1000], tiny)
    rows, plan = run["outcomes"].assign(table=""), registry.load()
    system = plan.system(regime)
    table = pivot(rows[rows["run"] == plan.systems[system].run], "full")
    asked = 0
    for one in plan.atoms:
        found = one.on.get(system)
        if found is None or (found.members and regime not in found.members):
            continue
        metrics = [f"{found.metric}/{part}" for part in one.parts] if isinstance(one, Intersection) else [found.metric]
        for metric in [*metrics, found.minus_metric or metrics[0]]:
            assert len(table.values(Arm("baseline"), metric)) == 1, (one.id, metric)
        asked += 1
    assert asked > 2


def test_every_family_can_say_a_word_with_its_exploratory_seeds():
    plan = registry.load()
    for name, system in plan.systems.items():
        family = len(plan.deciding(name))
        assert family <= plan.rules.most_atoms
        assert statistics.least_p(system.seeds) <= plan.rules.level / max(1, family), name


def test_every_deciding_comparison_of_arms_has_a_positive_control():
    plan = registry.load()
    for one in plan.atoms:
        for name, found in one.on.items():
            if isinstance(one, Compared) and one.decides_on(name) and {*one.plus} != {*one.minus}:
                assert found.control in plan.controls, (one.id, name)


def test_every_proof_and_search_that_is_named_exists():
    named = [one for claim in registry.load().claims for one in claim.algebra]
    assert {one.proof for one in named if one.proof} <= {derive.__name__ for derive in proofs.PROOFS}
    assert {one.search for one in named if one.search} <= {name for name, _ in SEARCHES}


def test_confirmatory_freezing_and_exploratory_seeds_do_not_meet():
    plan = registry.load()
    sets = [{*plan.confirmatory.seeds}, {*plan.freezing.seeds}]
    sets.append({seed for one in plan.systems.values() for seed in range(one.seeds)})
    assert sum(map(len, sets)) == len(set.union(*sets))


def test_no_two_atoms_have_the_same_statement():
    assert max(Counter(one.statement for one in registry.load().atoms).values()) == 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (update(0, colour="red"), "claim/risk: unknown key 'colour' for kind difference"),
        (update(0, bound=1.0), "claim/risk: unknown key 'bound' for kind difference"),
        (update(1, bound="high"), "claim/weight: 'bound' is 'high': input should be"),
        (update(1, kind="guess"), "claim/weight: 'kind' is 'guess'; choose one of difference"),
        (lambda page: atom(page, 1).pop("kind"), "claim/weight: 'kind' is None"),
        (lambda page: atom(page).pop("on"), "claim/risk: 'on' is missing"),
        (lambda page: atom(page)["on"]["toy"].pop("metric"), "claim/risk: 'on.toy.metric' is missing"),
        (update(0, plus=[]), "claim/risk: 'plus' is []: list should have at least 1 item"),
        (update(0, plus=["barrier at 0.5"]), "'barrier at 0.5' is not an"),
        (update(0, plus=["trace~barrier"]), "'trace~barrier' names"),
        (update(1, id="claim/risk"), "duplicate id 'claim/risk'"),
        (update(0, part="raises the risk"), "claim/risk: the sentence of 'claim' does not say 'raises the risk'"),
        (update(0, decides=False), "claim/risk: it does not decide; say why under why_not"),
        (on(0, decides=False), "claim/risk: it does not decide on 'toy'; say why"),
        (lambda page: atom(page)["on"].pop("real"), "claim/risk: name 'real' exactly once"),
        (update(0, not_on={"real": "no"}), "claim/risk: name 'real' exactly once"),
        (update(0, not_on={"moon": "no"}), "claim/risk: 'moon' is not a system"),
        (on(0, control="moon"), "claim/risk: 'moon' is not a control; choose one of curriculum"),
        (on(0, control=None), "claim/risk: it decides on 'toy' without a positive control"),
        (on(0, members=["moon/one"]), "claim/risk: 'moon/one' is not a member of 'toy'"),
        (on(0, margin=0.0), "'on.toy.margin' is 0.0: input should be greater than 0"),
        (on(0, margin=-1.0), "'on.toy.margin' is -1.0: input should be greater than 0"),
        (on(1, margin=1.0), "claim/weight: the margin of kind bound is 0"),
        (on(1, minus_metric="risk"), "claim/weight: kind bound subtracts nothing"),
        (lambda page: (update(1, bound=0.0)(page), on(1, scale="log")(page)), "claim/weight: the bound 0 has no log"),
        (update(0, minus=["barrier@0.5"]), "claim/risk: 'barrier@0.5' is on both sides"),
        (update(0, pair=["class"]), "claim/risk: pair names two arms"),
        (
            update(0, pair=["class", "oracle"], minus=["baseline", "base"]),
            "claim/risk: pair needs one arm under plus and one under minus",
        ),
        (lambda page: page["systems"]["real"].update(colour="red"), "unknown key 'systems.real.colour'"),
        (lambda page: page["rules"].update(level=0.9), "'rules.level' is 0.9: input should be less than 0.5"),
        (lambda page: page["rules"].update(most_atoms=1), "2 atoms decide on 'toy', at most 1 may"),
        (lambda page: page.pop("confirmatory"), "'confirmatory' is missing"),
        (
            lambda page: page["claims"][0].update(
                algebra=[{"statement": "it is so", "says": "the sentence", "word": "proved"}]
            ),
            "claim: 'it is so' needs a proof or a search, and not both",
        ),
    ],
)
def test_a_fault_is_named_with_its_atom_and_key(page, load_page, change, named):
    change(page)
    with pytest.raises(UserError) as error:
        load_page(page)
    assert "registry.yaml: " in str(error.value)
    assert named in str(error.value)


MARGIN = "{margin: 0.5, acts: along, control: 2.0, error: 0.1, p: 0.001, reach: null, because: a quarter}"


def test_margins_beside_the_registry_are_read(page, load_page, tmp_path):
    for name in ("toy", "real"):
        atom(page)["on"][name] = {"metric": "risk", "control": "curriculum"}
    (tmp_path / "margins.yaml").write_text(f"claim/risk: {{toy: {MARGIN}}}")
    plan = load_page(page)
    assert plan.margin(plan.atoms[0], "toy") == (0.5, "a quarter")
    assert plan.margin(plan.atoms[0], "real") == (None, "no margin is frozen")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (f"claim/gone: {{toy: {MARGIN}}}", "margins.yaml has a margin of 'claim/gone', which is not an atom"),
        (f"claim/risk: {{toy: {MARGIN.replace('0.5', '-0.5')}}}", "'margins.claim/risk.toy.margin' is -0.5"),
        (f"claim/risk: {{toy: {MARGIN.replace('0.5', '.inf')}}}", "margins"),
    ],
)
def test_margins_that_make_no_sense_are_refused(page, load_page, tmp_path, text, named):
    (tmp_path / "margins.yaml").write_text(text)
    with pytest.raises(UserError) as error:
        load_page(page)
    assert named in str(error.value)


def test_a_missing_registry_is_named(tmp_path):
    with pytest.raises(UserError, match=r"gone\.yaml is missing"):
        registry.load(tmp_path / "gone.yaml")


def test_an_unreadable_registry_is_named(tmp_path):
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(UserError, match=r"bad\.yaml is not readable"):
        registry.load(tmp_path / "bad.yaml")


def test_each_kind_becomes_its_own_class(plan):
    risk, weight = plan.atoms
    assert isinstance(risk, Difference)
    assert not isinstance(weight, Compared)
    assert risk.plus == [Arm("barrier", 0.5)]
