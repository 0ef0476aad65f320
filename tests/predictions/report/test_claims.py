"""What a claim's line says, from the verdicts that decide it."""

from dataclasses import replace

import pytest

from eisbach.arms import Arm
from predictions.judge.verdict import Estimate, JudgedClaim, JudgedHypothesis, Mechanism, Sample, SearchResult, Verdict
from predictions.registry.schema import Bound, Conjunction, Difference, Exact, Universal
from predictions.report import claims, rendering

COMMON = {"id": "c/h", "statement": "it is so", "regimes": ["small"]}
CONTRAST = COMMON | {"metric": "m", "arms": [Arm("barrier", 0.5)], "family": "primary", "direction": "higher"}
PRIMARY = Difference(kind="difference", against=[Arm("baseline")], **CONTRAST)
SECONDARY = replace(PRIMARY, id="c/other", family="secondary")
BOUND = Bound(kind="bound", bound=0.9, **CONTRAST)
EXACT = Exact(kind="exact", metric="m", arms=[Arm("barrier", 0.5)], bound=1.0, margin=0.1, **COMMON)
STRONGER = Universal(kind="universal", search="s", family="secondary", **COMMON)
UNIVERSAL = replace(STRONGER, family=None)
WHOLE = Conjunction(kind="all", parts=["c/h"], **COMMON)


def verdict(label, regime="small", **parts):
    estimate = Estimate(effect=1.0, interval=(0.5, None))
    given = {"metric": "m", "reason": "", "sentence": "", "run": "short", "estimate": estimate}
    return Verdict(label=label, regime=regime, **given | parts)


def mechanism(label):
    return Mechanism(label=label, reason="", controls=())


def judged(*pairs, name="c"):
    """A claim of (hypothesis, verdicts) pairs."""
    hypotheses = tuple(JudgedHypothesis(registered=one, verdicts=tuple(of)) for one, *of in pairs)
    return JudgedClaim(id=name, sentence="s", place="p", counts={}, hypotheses=hypotheses)


def claim(*pairs):
    return claims.claim(1, judged(*pairs))


def test_regimes_are_never_pooled():
    found = claim(
        (PRIMARY, verdict("supported"), verdict("refuted", "trajectories/c2"), verdict("refuted", "trajectories/c32"))
    )
    assert [(line.system, line.labels) for line in found.lines] == [
        ("trajectories", (("refuted", 2),)),
        ("small", (("supported", 1),)),
    ]
    assert found.overall == "mixed"


def test_only_deciding_hypotheses_make_a_claims_line():
    found = claim((PRIMARY, verdict("inconclusive")), (SECONDARY, verdict("supported")))
    assert found.lines[0].labels == (("inconclusive", 1),)
    assert len(found.hypotheses) == 2


def test_without_a_deciding_hypothesis_all_make_the_line():
    assert claim((SECONDARY, verdict("supported"))).lines[0].labels == (("supported", 1),)


def test_a_counterexample_to_a_stronger_version_does_not_change_the_claim():
    found = claim((PRIMARY, verdict("supported")), (STRONGER, verdict("refuted", "analytic")))
    assert (found.overall, found.stronger) == ("supported", (("refuted", 1),))
    assert found.untested == ()  # nothing that decides was planned on the closed form


def test_a_counterexample_to_the_claim_itself_does():
    found = claim((PRIMARY, verdict("supported")), (UNIVERSAL, verdict("refuted", "analytic")))
    assert (found.overall, found.stronger) == ("mixed", ())


@pytest.mark.parametrize(
    ("labels", "overall"),
    [
        (("supported", "inconclusive"), "supported"),
        (("inconclusive", "assay failed"), "inconclusive"),
        (("not tested",), "not tested"),
        (("supported", "refuted"), "mixed"),
        ((), "not tested"),
    ],
)
def test_a_claim_s_label_is_what_was_decided_anywhere(labels, overall):
    assert claim((PRIMARY, *map(verdict, labels))).overall == overall


def test_a_system_on_which_nothing_could_be_tested_is_named():
    assert claim((PRIMARY, verdict("supported"), verdict("not tested", "medium"))).untested == ("medium",)


def test_a_mechanism_has_its_own_label():
    found = claim((PRIMARY, verdict("supported", mechanism=mechanism("refuted"))))
    assert (found.overall, found.mechanism) == ("supported", "refuted")


def test_without_controls_no_mechanism_is_claimed():
    assert claim((PRIMARY, verdict("supported"))).mechanism is None


def test_the_headline_has_the_most_telling_label_and_numbers_of_its_own():
    whole = (WHOLE, verdict("supported", estimate=None))
    found = claim(whole, (PRIMARY, verdict("inconclusive"), verdict("supported")))
    assert found.lines[0].headline == claims.Found(PRIMARY, verdict("supported"))


def test_the_numbers_of_a_difference_have_a_sign():
    assert rendering.numbers(PRIMARY, verdict("supported")) == "+1 [+0.5, unbounded]"


def test_the_numbers_of_a_bound_have_none_and_say_what_was_claimed():
    assert rendering.numbers(BOUND, verdict("refuted")) == "1 [0.5, unbounded], claimed higher than 0.9"


def test_the_numbers_of_an_exact_statement_have_no_interval():
    found = verdict("supported", estimate=Estimate(effect=1.0))
    assert rendering.numbers(EXACT, found) == "1, claimed equal to 1"


def test_an_interval_without_ends_is_said_in_words():
    sample = Sample(seeds=(0, 1), values=(1.0, 1.0), tables=())
    found = verdict("inconclusive", estimate=Estimate(effect=1.0, interval=(None, None)), sample=sample)
    assert rendering.numbers(PRIMARY, found) == "+1 [no interval from 2 seeds]"


@pytest.mark.parametrize(("found", "words"), [(True, "a counterexample"), (False, "3 inputs, no counterexample")])
def test_a_search_has_its_result_in_place_of_numbers(found, words):
    searched = SearchResult(found=found, tried=3, description="")
    assert rendering.numbers(UNIVERSAL, verdict("refuted", estimate=None, counterexample=searched)) == words


def test_a_verdict_without_numbers_gives_its_reason():
    assert rendering.numbers(PRIMARY, verdict("not tested", estimate=None, reason="no oracle")) == "no oracle"


@pytest.mark.parametrize(
    ("registered", "words"),
    [
        (PRIMARY, "difference, m, barrier@0.5 against baseline, claimed higher, primary family"),
        (BOUND, "bound, m, barrier@0.5, claimed higher than 0.9, primary family"),
        (EXACT, "exact, m, barrier@0.5, claimed equal to 1"),
        (STRONGER, "universal, secondary family"),
        (WHOLE, "all"),
        (replace(PRIMARY, metric={"small": "vendi", "medium": "m"}),
         "difference, Vendi score or m, barrier@0.5 against baseline, claimed higher, primary family"),
    ],
)  # fmt: skip
def test_a_hypothesis_is_described_as_registered(registered, words):
    assert ", ".join(rendering.plan(registered)) == words


def test_the_tally_counts_every_claim_once():
    found = claims.claims(
        judged((PRIMARY, verdict(label), verdict("inconclusive")), name=name)
        for name, label in (("a", "supported"), ("b", "supported"), ("c", "refuted"))
    )
    assert claims.tally(found) == {"refuted": 1, "supported": 2}
