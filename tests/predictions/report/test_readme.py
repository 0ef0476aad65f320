"""The README's table and picture agree with what is kept of the verdicts."""

import json
from pathlib import Path

import pytest

from predictions.judge.document import parse
from predictions.report import readme

ROOT = Path(__file__).parents[3]


def block():
    text = (ROOT / readme.README).read_text()
    assert text.count(readme.BEGIN) == text.count(readme.END) == 1
    return text.split(readme.BEGIN)[1].split(readme.END)[0]


def test_the_readme_s_table_is_the_one_that_its_verdicts_give():
    assert block() == readme.table(json.loads((ROOT / readme.KEPT).read_text()))


def test_the_readme_shows_the_report_s_picture_of_the_weight():
    assert f"({readme.PICTURE})" in (ROOT / readme.README).read_text()
    assert "weight-by-t-" in (ROOT / readme.PICTURE).read_text()


@pytest.fixture
def kept(whole):
    return readme.reduced(parse((whole.root / "results/verdicts.json").read_text()))


def test_rewriting_changes_only_the_block(kept):
    after = readme.rewritten(f"# Title\n{readme.BEGIN}old\n{readme.END}\nrest\n", kept)
    assert after == f"# Title\n{readme.BEGIN}{readme.table(kept)}{readme.END}\nrest\n"


def test_rewriting_twice_is_rewriting_once(kept):
    once = readme.rewritten(f"{readme.BEGIN}old\n{readme.END}\n", kept)
    assert readme.rewritten(once, kept) == once


def rows(kept):
    return [line for line in readme.table(kept).splitlines() if line.startswith("| **")]


def test_each_claim_has_one_row(kept, whole):
    assert len(rows(kept)) == len(whole.site.found)


@pytest.mark.parametrize(
    "words",
    ["small Stable Audio 3: supported", "mechanism refuted", "not tested: Stable Audio 3 Medium", "`dvc repro verify`"],
)
def test_a_row_has_every_regime_and_a_command(kept, words):
    assert words in rows(kept)[0]


def test_a_row_has_no_members_of_a_regime_and_no_markup_of_others(kept):
    assert "trajectories, 32" not in rows(kept)[0]
    assert "<script" not in "".join(rows(kept))


def test_the_table_can_be_made_again_from_the_kept_json(kept):
    assert readme.table(json.loads(json.dumps(kept))) == readme.table(kept)
