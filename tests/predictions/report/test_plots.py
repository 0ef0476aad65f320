"""The small tables of `dvc plots` and `dvc metrics`."""

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
    assert verdicts["verdict"].tolist() == [
        "curriculum/order on curves",
        "curriculum/order on small",
        "curriculum/detail on small",
    ]
    assert verdicts["word"].tolist() == ["holds", "insensitive", "insensitive"]
    assert verdicts["effect_in_margins"][0] > 1
    assert plots.metrics(whole.site)["heldout_loss/barrier"]["seeds"] == 2


def test_plots_of_a_run_without_anything_have_their_columns(incomplete, tmp_path):
    plots.write(tmp_path / "plots", incomplete.inputs, incomplete.site)
    assert list(pd.read_csv(tmp_path / "plots/weight_by_t.csv")) == ["t", "flat", "contrast"]
    assert len(pd.read_csv(tmp_path / "plots/verdicts.csv")) == 0
