"""The small tables of `dvc plots` and `dvc metrics`, and the terminal's lines."""

import pandas as pd
import pytest

from predictions.report import plots


def test_plots_and_metrics_of_a_whole_run(whole, tmp_path):
    plots.write(tmp_path / "plots", whole.inputs, whole.site)
    weights = pd.read_csv(tmp_path / "plots/weight_by_t.csv")
    assert list(weights) == ["t", "flat", "contrast"]
    losses = pd.read_csv(tmp_path / "plots/heldout_difference.csv")
    assert losses["t"].tolist() == pytest.approx([0.25, 0.75])
    by_arm = whole.inputs.tables["losses"].groupby("arm")["loss"].mean()
    assert losses["barrier"].mean() == pytest.approx(by_arm["barrier"] - by_arm["baseline"])
    verdicts = pd.read_csv(tmp_path / "plots/verdicts.csv")
    assert set(verdicts["label"]) == {"supported", "refuted"}  # of differences only: a bound has no margin
    assert verdicts["effect_in_margins"].between(1, 4).all()
    assert plots.metrics(whole.site)["heldout_loss/barrier"]["seeds"] == 2


def test_plots_of_a_run_without_anything_have_their_columns(incomplete, tmp_path):
    plots.write(tmp_path / "plots", incomplete.inputs, incomplete.site)
    assert list(pd.read_csv(tmp_path / "plots/weight_by_t.csv")) == ["t", "flat", "contrast"]
    assert len(pd.read_csv(tmp_path / "plots/verdicts.csv")) == 0


def test_a_claim_is_one_line_in_the_terminal(whole):
    lines = [plots.line(claim) for claim in whole.site.found]
    assert all("\n" not in line for line in lines)
    assert "small Stable Audio 3: supported" in lines[0]
    assert lines[2].endswith("not tested")
