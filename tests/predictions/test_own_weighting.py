"""The worked example of docs/predictions.md, run exactly as printed there."""

import json
import re
import shutil
import sys
from pathlib import Path

from eisbach.weighting import registry as weightings
from predictions import __main__ as verify
from predictions.counterexamples import archive

PAGE = Path(__file__).parents[2] / "docs" / "predictions.md"


def block(language):
    """The page's only code block in this language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return found


def test_a_weighting_of_one_s_own_is_judged_like_the_barrier(tmp_path, monkeypatch, capsys):
    shutil.copyfile("params.yaml", tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(weightings, "_registry", dict(weightings._registry))  # gone again after the test
    monkeypatch.setattr(archive, "collect", lambda *places: {})  # searches have tests of their own
    exec(compile(block("python"), "docs/predictions.md", "exec"), {"seeds": range(1000, 1006), "length": 0.02})
    Path("late.yaml").write_text(block("yaml"))
    command = ["late.parquet", "--registry", "late.yaml", "--out", "out/late.json"]
    monkeypatch.setattr(sys, "argv", ["verify", *command])
    verify.main()
    first = Path("out/late.json").read_bytes()
    document = json.loads(first)
    (judged,) = document["claims"][0]["atoms"]
    (verdict,) = judged["verdicts"]
    assert verdict["system"] == "plane"
    assert verdict["sample"]["seeds"] == [*range(1000, 1006)]
    assert verdict["sample"]["tables"] == ["late.parquet"]
    assert verdict["control"]["name"] == "curriculum"
    assert document["systems"]["plane"]["status"]["label"] == "exploratory"
    assert verdict["word"] in document["headline"]["rows"]["late"]["plane"]["text"]
    verify.main()
    assert Path("out/late.json").read_bytes() == first
    assert "late" in capsys.readouterr().out
