"""The README's answer, table and picture agree with what is kept of the verdicts."""

import json
import re
from pathlib import Path

import pytest

from predictions.judge.document import parse
from predictions.report import readme

ROOT = Path(__file__).parents[3]


def block(name):
    text = (ROOT / readme.README).read_text()
    begin, end = readme.BLOCKS[name]
    assert text.count(begin) == text.count(end) == 1
    return text.split(begin)[1].split(end)[0]


@pytest.mark.parametrize(("name", "write"), [("answer", readme.answer), ("claims", readme.table)])
def test_the_readme_says_what_its_headline_gives(name, write):
    assert block(name) == write(json.loads((ROOT / readme.KEPT).read_text()))


def test_the_readme_shows_the_report_s_picture_of_the_weight():
    assert f"({readme.PICTURE})" in (ROOT / readme.README).read_text()
    assert "weight-by-t-" in (ROOT / readme.PICTURE).read_text()


@pytest.fixture
def kept(whole):
    return readme.reduced(parse((whole.root / "results/verdicts.json").read_text()))


def blocks(answer="old\n", table="old\n"):
    (begin, end), (start, stop) = readme.BLOCKS["answer"], readme.BLOCKS["claims"]
    return f"# Title\n{begin}{answer}{end}\nmiddle\n{start}{table}{stop}\nrest\n"


def test_rewriting_changes_only_the_blocks(kept):
    assert readme.rewritten(blocks(), kept) == blocks(readme.answer(kept), readme.table(kept))


def test_rewriting_twice_is_rewriting_once(kept):
    once = readme.rewritten(blocks(), kept)
    assert readme.rewritten(once, kept) == once


def rows(kept):
    return [line for line in readme.table(kept).splitlines() if line.startswith("| **")]


def test_each_claim_has_one_row_with_every_column(kept, whole):
    assert len(rows(kept)) == len(whole.site.found)
    assert all(len(re.findall(r"(?<!\\)\|", row)) == len(kept["headline"]["columns"]) + 2 for row in rows(kept))


def test_a_row_has_words_with_numbers_and_no_markup_of_others(kept):
    assert "holds" in rows(kept)[0]
    assert "insensitive" in rows(kept)[0]
    assert "<script" not in "".join(rows(kept))


def test_no_line_of_prose_is_longer_than_the_page(kept):
    assert max(map(len, readme.answer(kept).splitlines())) <= 160


def test_both_can_be_made_again_from_the_kept_json(kept):
    again = json.loads(json.dumps(kept))
    assert (readme.answer(again), readme.table(again)) == (readme.answer(kept), readme.table(kept))
