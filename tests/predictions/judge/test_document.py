"""verdicts.json, the headline's cells and the terminal."""

import io
import json
import math
import re
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from rich.console import Console

from predictions.judge import document, headline, numbers
from predictions.judge.judge import judge
from predictions.judge.verdict import RegistryFile, Tree
from predictions.registry import load as registry
from predictions.registry.schema import On
from tests.predictions.conftest import planted


def written(plan, table):
    return document.document(
        plan,
        judge(plan, table),
        {},
        table,
        file=RegistryFile(sha256="0" * 64, committed=True),
        tree=Tree(revision=None, clean=True),
        tables=[],
    )


WORLDS = {
    "whole": planted(),
    "few seeds": planted(n=6),
    "nothing": planted().iloc[:0],
    "opposite": planted(barrier=2.0),
    "insensitive": planted(barrier=0.0, **{"class": 0.0, "class_reversed": 0.0}),
}
worlds = pytest.mark.parametrize("table", WORLDS.values(), ids=WORLDS)


@worlds
def test_the_document_is_strict_json_of_its_schema_and_can_be_read_again(plan, table):
    made = written(plan, table)
    plain = json.loads(json.dumps(document.plain(made), allow_nan=False))
    Draft202012Validator.check_schema(document.json_schema())
    Draft202012Validator(document.json_schema()).validate(plain)
    assert document.parse(json.dumps(plain)) == made


def test_a_word_that_does_not_exist_is_refused(plan):
    plain = document.plain(written(plan, planted()))
    plain["claims"][0]["atoms"][0]["verdicts"][0]["word"] = "proven"
    with pytest.raises(ValueError, match="word"):
        document.parse(json.dumps(plain))


@worlds
def test_the_same_tables_give_the_same_document(plan, table):
    assert written(plan, table) == written(plan, table.sample(frac=1, random_state=1))


@worlds
def test_the_terminal_keeps_within_80_columns(plan, table):
    made = written(plan, table)
    out = io.StringIO()
    console = Console(file=out, width=200)
    for part in headline.terminal(made.headline, made.claims):
        console.print(part)
    assert max(map(len, out.getvalue().splitlines())) <= 80


def test_the_committed_registry_s_terminal_keeps_within_80_columns_and_shows_every_claim():
    made = written(registry.load(), planted().iloc[:0])
    out = io.StringIO()
    for part in headline.terminal(made.headline, made.claims):
        Console(file=out, width=200).print(part)
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert all(any(claim.id[:9] in line for line in lines) for claim in made.claims)


def cell(plan, table, column="toys"):
    return written(plan, table).headline.rows["claim"][column]


def test_a_cell_has_the_word_of_each_atom_with_its_number(plan):
    found = cell(plan, planted(n=24, spread=0.2))
    assert found.word == "holds"
    assert re.fullmatch(rf"\(a\) holds, {numbers.MINUS}[12]\.\d+; \(b\) holds, 0\.[67]\d", found.text)


def test_a_cell_says_what_explains_an_effect(plan):
    assert "explained by timestep@0.5" in cell(plan, planted(n=24, spread=0.2, timestep=-2.0)).text


def test_a_claim_fails_with_one_atom_and_an_untested_column_says_so(plan):
    table = planted(barrier=2.0)
    assert cell(plan, table).word == "fails"
    assert (cell(plan, table, "real").word, cell(plan, table, "real").text) == ("not tested", "not run")


def test_a_claim_s_legend_has_a_letter_for_every_deciding_atom(plan):
    (claim,) = written(plan, planted()).claims
    assert headline.legend(claim) == "(a) lowers the risk, (b) w reaches 0.5"


def test_the_music_paragraph_does_not_deny_a_change_that_may_exceed_the_margin():
    """An effect that is present, and whose interval straddles d, is not "no quantity changes by a quarter"."""
    plan = registry.load()
    names = ["structure/dynamic-range", "structure/pca-area"]
    assert set(names) <= {one.id for one in plan.atoms}
    from dataclasses import replace

    claim = next(one for one in written(plan, planted().iloc[:0]).claims if one.id == "structure")
    atoms = []
    for one in claim.atoms:
        found = [
            replace(
                verdict,
                word="present",
                effect={"mean": 1.0, "interval": (0.1, 3.0), "interval_95": (0.2, 2.0), "detectable": 1.0},
            )
            for verdict in one.verdicts
        ]
        atoms.append(replace(one, verdicts=tuple(found)))
    assert "no quantity changes" not in headline._verdict_on_music([replace(claim, atoms=tuple(atoms))])


# --- numbers


@given(st.floats(-1e5, 1e5).filter(lambda x: abs(x) > 1e-5))
def test_two_significant_digits_keep_the_value_and_the_sign(value):
    text = numbers.significant(value, sign=True)
    read = float(text.replace(numbers.MINUS, "-"))
    assert read == pytest.approx(value, rel=0.051)
    assert text[0] == ("+" if value > 0 else numbers.MINUS)
    assert "-" not in text.replace("e-", "")


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (np.inf, "unbounded"), (123.4, "123"), (1.06, "1.1"), (0.0123, "0.012")]
)
def test_numbers_as_text(value, text):
    assert numbers.significant(value) == text


def test_numbers_are_in_the_metric_s_own_direction_and_unit(plan):
    risk, weight = plan.atoms
    assert numbers.shown(risk, On(metric="m", unit="dB"), 1.5) == f"{numbers.MINUS}1.5 dB"
    assert numbers.shown(risk, On(metric="m", scale="log"), -math.log(1.09)) == "+9.0 %"
    assert numbers.shown(risk, On(metric="m", scale="log"), math.log(2)) == f"{numbers.MINUS}50 %"
    assert numbers.shown(weight, On(metric="m"), 0.2) == "0.70"
    assert numbers.shown(weight, On(metric="m", scale="log", unit=": 1"), math.log(4.8)) == "2.4 : 1"
    assert numbers.shown(weight, On(metric="m"), None) == "unbounded"


@settings(deadline=None)
@given(st.floats(-3, 3), st.floats(0.01, 2))
def test_a_span_starts_with_the_lower_natural_value(low, width):
    (risk, weight), on = _atoms(), On(metric="m")
    for atom in (risk, weight):
        ends = [
            float(end.replace(numbers.MINUS, "-")) for end in numbers.span(atom, on, (low, low + width)).split(" to ")
        ]
        assert ends[0] <= ends[1]


@cache
def _atoms():
    plan = registry.load()
    falls = next(one for one in plan.atoms if one.kind == "difference" and one.direction == "lower")
    return falls, next(one for one in plan.atoms if one.kind == "bound")
