"""The README says what the kept verdicts say."""

import json
from pathlib import Path

import pytest

from predictions.report import readme

ROOT = Path(__file__).parents[3]


def block():
    text = (ROOT / readme.README).read_text()
    assert text.count(readme.BEGIN) == text.count(readme.END) == 1
    return text.split(readme.BEGIN)[1].split(readme.END)[0]


def test_the_readmes_table_is_the_one_that_its_verdicts_give():
    kept = ROOT / readme.KEPT
    if kept.exists():
        assert block() == readme.table(json.loads(kept.read_text()))
    else:
        assert "Nothing has been judged yet" in block()


def test_the_readmes_picture_is_one_of_the_reports():
    picture = ROOT / readme.PICTURE
    assert f"({readme.PICTURE})" in (ROOT / readme.README).read_text()
    if (ROOT / readme.KEPT).exists():
        assert "weight-by-t-" in picture.read_text()


@pytest.fixture
def document(whole):
    return json.loads((whole.root / "results/verdicts.json").read_text())


def test_rewriting_changes_the_block_alone_and_twice_is_once(document):
    kept = readme.reduced(document)
    before = f"# Title\n{readme.BEGIN}old\n{readme.END}\nrest\n"
    after = readme.rewritten(before, kept)
    assert after.startswith("# Title\n")
    assert after.endswith(f"{readme.END}\nrest\n")
    assert "old" not in after
    assert readme.rewritten(after, kept) == after


def test_each_claim_has_one_row_with_every_regime_and_a_command(document):
    rows = [line for line in readme.table(readme.reduced(document)).splitlines() if line.startswith("| **")]
    assert len(rows) == len(document["claims"])
    assert "trajectories, 32" not in rows[0]
    for words in (
        "small Stable Audio 3: supported",
        "mechanism refuted",
        "not tested: Stable Audio 3 Medium",
        "`dvc repro",
    ):
        assert words in rows[0]
    assert "<script" not in "".join(rows)


def test_the_table_can_be_made_again_from_what_is_kept(document):
    kept = readme.reduced(document)
    assert readme.table(json.loads(json.dumps(kept))) == readme.table(document)
