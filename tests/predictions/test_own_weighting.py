"""The worked example of docs/predictions.md, run exactly as printed there."""

import json
import re
import shutil
import sys
from pathlib import Path

from eisbach.pipeline import tables
from eisbach.weighting import registry as weightings
from predictions import __main__ as verify
from predictions.counterexamples import archive
from predictions.registry import seal

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
    tables.write_metrics(seal.SEAL, {"sealed": True, "registry": "", "parts": {}})  # of the pipeline's own registry
    verify.main()
    assert Path("out/late.json").read_bytes() == first
    document = json.loads(first)
    (judged,) = document["claims"][0]["hypotheses"]
    verdicts = {one["run"]: one for one in judged["verdicts"]}
    assert set(verdicts) == {"short", "converged"}
    gates = document["gates"]["densities/eight_gaussians"]
    for run, one in verdicts.items():
        assert one["status"]["label"] == "exploratory"
        assert (one["label"] == "assay failed") == (not gates[run]["passed"])
        assert len(one["sample"]["seeds"]) == 6
        assert one["sample"]["tables"] == ["late.parquet"]
        assert "weighing by t" in one["sentence"]
    assert "late" in capsys.readouterr().out
