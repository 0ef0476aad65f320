"""The two commands that make the shipped base and its model card."""

import json
import runpy
import sys

import pytest

from eisbach.errors import UserError
from eisbach.models import small
from eisbach.pipeline.stages import card

COMMANDS = ["card", "pretrain"]


def run(name, *arguments):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [name, *arguments])
        patch.delitem(sys.modules, f"eisbach.pipeline.stages.{name}", raising=False)
        runpy.run_module(f"eisbach.pipeline.stages.{name}", run_name="__main__")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_prints_the_purpose_and_does_nothing_else(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ending:
        run(name, "--help")
    assert ending.value.code == 0
    assert f"`make {name}`" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_argument_is_refused_before_anything_is_done(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ending:
        run(name, "--steps", "3")
    assert ending.value.code == 2
    assert "unrecognized arguments: --steps 3" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def base(tmp_path, monkeypatch):
    """A copy of the shipped model card, in a project with the losses of two tenths of t."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(small, "BASE", tmp_path / "base")
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "README.md").write_text(f"before\n{card.BEGIN}| old |\n{card.END}\nafter\n")
    row = {"model": 0.5, "linear": 1.0, "scalar": 1.25, "zero": 2.0}
    (tmp_path / "results").mkdir()
    losses = {"loss_by_tenth_of_t": {"0.0": row, "0.1": row | {"linear": 2.0}}}
    (tmp_path / "results" / "base.json").write_text(json.dumps(losses))
    return tmp_path / "base" / "README.md"


def test_the_card_s_table_is_replaced_and_its_text_kept(base):
    card.main()
    text = base.read_text()
    assert text.startswith(f"before\n{card.BEGIN}")
    assert text.endswith(f"{card.END}\nafter\n")
    assert "| 0.0 to 0.1 | 0.5000 | 1.0000 | 1.2500 | 2.0000 | 0.500 |" in text
    assert "| 0.1 to 0.2 | 0.5000 | 2.0000 | 1.2500 | 2.0000 | 0.250 |" in text
    assert "old" not in text


def test_writing_the_card_twice_changes_nothing(base):
    card.main()
    once = base.read_text()
    card.main()
    assert base.read_text() == once


def test_a_card_without_measured_losses_names_the_stage_to_run(base):
    (base.parents[1] / "results" / "base.json").unlink()
    with pytest.raises(UserError, match=r"base\.json is missing; run `dvc repro base` first"):
        card.main()
