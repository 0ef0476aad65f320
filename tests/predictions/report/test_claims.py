from predictions.report import claims, rendering


def of(*verdicts):
    document = {"claims": [{"id": "c", "sentence": "s", "place": "p", "verdicts": list(verdicts)}]}
    return claims.claims(document)[0]


def verdict(label, regime="small", **more):
    fields = {
        "hypothesis": "c/h", "kind": "difference", "regime": regime, "run": "short", "family": "primary",
        "planned": True,
        "effect_label": label, "mechanism_label": "not claimed", "reason": "", "effect": 1.0, "counterexample": None,
        "interval": [0.5, None], "bound": None, "direction": "higher", "margin": 0.1,
    }  # fmt: skip
    return fields | more


def test_regimes_are_never_pooled():
    claim = of(verdict("supported"), verdict("refuted", "trajectories/c2"), verdict("refuted", "trajectories/c32"))
    assert [(line.family, line.labels) for line in claim.lines] == [
        ("trajectories", (("refuted", 2),)),
        ("small", (("supported", 1),)),
    ]
    assert claim.overall == "mixed"


def test_only_deciding_hypotheses_make_a_claims_line():
    claim = of(verdict("inconclusive"), verdict("supported", family="secondary", hypothesis="c/other"))
    assert claim.lines[0].labels == (("inconclusive", 1),)
    assert len(claim.hypotheses) == 2


def test_one_counterexample_to_a_stronger_wording_stands_beside_the_claim_and_does_not_turn_it():
    stronger = verdict("refuted", "analytic", kind="universal", family="secondary", hypothesis="c/always")
    claim = of(verdict("supported"), stronger)
    assert (claim.overall, claim.wordings) == ("supported", (("refuted", 1),))
    assert claim.untested == ()  # nothing that decides was planned on the closed form
    own_words = stronger | {"family": ""}
    assert of(verdict("supported"), own_words).overall == "mixed"
    assert of(verdict("supported"), own_words).wordings == ()


def test_undecided_does_not_hide_what_is_decided():
    assert of(verdict("supported"), verdict("inconclusive", "analytic")).overall == "supported"
    assert of(verdict("inconclusive"), verdict("assay failed", "analytic")).overall == "inconclusive"
    assert of(verdict("not tested")).overall == "not tested"


def test_what_could_not_be_tested_is_named_and_what_was_not_planned_says_why():
    claim = of(
        verdict("supported"),
        verdict("not tested", "medium"),
        verdict("not tested", "analytic", planned=False, reason="no training"),
    )
    assert claim.untested == ("medium",)
    assert claim.hypotheses[0].skipped == (("analytic", "no training"),)


def test_a_mechanism_has_its_own_label():
    claim = of(verdict("supported", mechanism_label="refuted"))
    assert (claim.overall, claim.mechanism) == ("supported", "refuted")
    assert of(verdict("supported")).mechanism == ""


def test_numbers_of_a_verdict_in_words():
    assert rendering.numbers(verdict("supported")) == "+1 [+0.5, unbounded]"
    assert rendering.numbers(verdict("refuted", bound=0.9)) == "1 [0.5, unbounded], claimed higher than 0.9"
    assert rendering.numbers(verdict("inconclusive", interval=[None, None], n=2)) == "+1 [no interval from 2 seeds]"
    found = {"found": True, "tried": 3}
    assert rendering.numbers(verdict("refuted", effect=None, counterexample=found)) == "a counterexample"


def test_the_tally_counts_every_claim_once():
    document = {
        "claims": [
            {"id": name, "sentence": "", "place": "", "verdicts": [verdict(label), verdict("inconclusive")]}
            for name, label in (("a", "supported"), ("b", "supported"), ("c", "refuted"))
        ]
    }
    assert claims.tally(claims.claims(document)) == {"refuted": 1, "supported": 2}
