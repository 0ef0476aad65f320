"""verdicts.json, its schema, the sentences, the terminal's table."""

import json

import pytest
from jsonschema import Draft202012Validator

from predictions.judge import document
from predictions.judge.judge import judge
from predictions.judge.verdict import LABELS, RegistryFile, Tree
from predictions.report import schema
from tests.predictions.conftest import CLEAN, planted
from tests.predictions.judge.trial import judged


@pytest.fixture
def written(plan):
    """The document of a run of five seeds, whose intervals are unbounded."""
    file = RegistryFile(sha256="0" * 64, committed=True)
    return document.document(plan, judge(plan, planted(n=5), CLEAN), file, Tree(clean=True), [])


def test_the_document_is_strict_json_of_the_published_schema(written):
    plain = json.loads(json.dumps(document.plain(written), allow_nan=False))
    Draft202012Validator.check_schema(document.json_schema())
    Draft202012Validator(document.json_schema()).validate(plain)


def test_the_document_can_be_read_again(written):
    assert document.parse(json.dumps(document.plain(written))) == written


def test_a_document_of_another_layout_is_refused(written):
    plain = document.plain(written)
    plain["claims"][0]["hypotheses"][0]["verdicts"][0]["label"] = "proven"
    with pytest.raises(ValueError, match="label"):
        document.parse(json.dumps(plain))


def test_verdicts_nest_under_their_hypothesis_and_repeat_none_of_it(written):
    (claim,) = document.plain(written)["claims"]
    for one in claim["hypotheses"]:
        for verdict in one["verdicts"]:
            assert not {"id", "statement", "kind", "arms", "against", "bound", "family"} & set(verdict)


def test_an_unbounded_interval_has_null_ends(written):
    (claim,) = written.claims
    (weight,) = [one for one in claim.hypotheses if one.registered.id == "claim/weight"]
    (short,) = [one for one in weight.verdicts if (one.regime, one.run) == ("toy/one", "short")]
    assert short.estimate.interval == (None, None)
    assert short.estimate.minimum_detectable is None
    assert "95 % interval unbounded to unbounded" in short.sentence


def test_the_counts_are_those_of_the_verdicts(written):
    (claim,) = written.claims
    labels = [verdict.label for one in claim.hypotheses for verdict in one.verdicts]
    assert claim.counts == {label: labels.count(label) for label in LABELS}


def test_the_committed_schema_is_the_generated_one():
    assert schema.SCHEMA.read_text() == schema.text(), "run `python -m predictions.report.schema`"


def test_the_terminal_has_one_line_per_claim(plan):
    assert document.terminal(plan, judge(plan, planted(), CLEAN)).row_count == len(plan.claims) == 1


@pytest.mark.parametrize("effect", [-1.2, -0.5, 0.0, 1.2])
def test_every_verdict_has_a_sentence_that_bounds_itself(plan, effect):
    found = judge(plan, planted(barrier=effect), CLEAN).verdicts
    for verdict in (one for of in found.values() for one in of):
        assert verdict.sentence.startswith("On ")
        assert verdict.sentence.endswith(".")
        if verdict.label in ("supported", "refuted", "inconclusive"):
            assert "This does not establish it for" in verdict.sentence
            assert "with 12 seeds" in verdict.sentence


def test_a_sentence_names_all_other_regimes(plan):
    assert judged(plan, planted()).sentence.endswith("This does not establish it for the real thing.")


def test_a_sentence_names_any_other_system_where_there_is_one_regime(page, load_page):
    page["regimes"].pop("real")
    for hypothesis in page["claims"][0]["hypotheses"]:
        hypothesis.pop("skip", None)
        hypothesis["regimes"] = ["toy/*"]
    assert judged(load_page(page), planted()).sentence.endswith("This does not establish it for any other system.")
