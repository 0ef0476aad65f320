"""What a claim's page shows, and where."""

from predictions.judge.words import WORDS
from predictions.registry import load as registry
from predictions.report import claims, rendering, theme


def of(report, name):
    return next(claim for claim in report.site.found if claim.judged.id == name)


def test_the_deciding_atoms_that_were_measured_come_first_and_the_rest_is_folded(whole):
    claim = of(whole, "curriculum")
    ((letter, atom, verdicts),) = claim.deciding
    assert (letter, atom.id) == ("a", "curriculum/order")
    assert [verdict.system for verdict in verdicts] == ["curves", "small"]
    assert [(line.atom.id, line.verdict.system) for line in claim.folded] == [
        ("curriculum/order", "medium"),
        ("curriculum/detail", "small"),
    ]


def test_no_verdict_is_lost_between_the_two(whole):
    for claim in whole.site.found:
        shown = sum(len(verdicts) for _, _, verdicts in claim.deciding) + len(claim.folded)
        assert shown == len(claim.lines)


def test_before_verdicts_every_registered_claim_is_named():
    plan = registry.load()
    found = claims.claims(None, plan)
    assert [claim.judged.sentence for claim in found] == [claim.sentence for claim in plan.claims]
    assert not any(claim.cells or claim.deciding or claim.folded for claim in found)


def test_every_word_has_a_sign_of_its_own_colour_group():
    assert set(WORDS) <= set(theme.WORDS)
    assert theme.sign("holds").css != theme.sign("absent").css != theme.sign("undecided").css


def test_a_verdict_is_shown_in_the_metric_s_own_numbers(whole):
    ((_, atom, verdicts),) = of(whole, "curriculum").deciding
    curves = verdicts[0]
    assert rendering.member(atom, curves, 1.0) == "+1.0"
    assert rendering.margin(atom, curves).startswith("0.25 (")
    assert "to" in rendering.span(atom, curves)
    assert rendering.share(curves)
    assert 'class="interval good"' in rendering.glyph(atom, curves)


def test_an_atom_is_described_as_registered(whole):
    ((_, atom, _),) = of(whole, "curriculum").deciding
    assert rendering.plan(atom) == ["difference", "coverage", "barrier@0.5 against baseline", "claimed higher"]
    ((_, bound, _),) = of(whole, "noise-level").deciding
    assert rendering.plan(bound) == ["bound", "w", "baseline", "claimed higher than 0.9"]
