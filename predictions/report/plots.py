"""The tables of `dvc metrics` and `dvc plots`."""

from pathlib import Path

import pandas as pd

from eisbach.metrics.loss_by_t import by_tenth
from eisbach.pipeline.files import replacing
from predictions.report.inputs import Inputs
from predictions.report.site import Site


def write(folder: Path, inputs: Inputs, site: Site) -> None:
    """One small table for each plot of dvc.yaml, without rows where the run has none: DVC needs every file."""
    with replacing(folder) as made:
        made.mkdir(parents=True)
        weight_by_t(inputs).to_csv(made / "weight_by_t.csv", index=False)
        heldout_difference(inputs).to_csv(made / "heldout_difference.csv", index=False)
        verdicts(site).to_csv(made / "verdicts.csv", index=False)


def weight_by_t(inputs: Inputs) -> pd.DataFrame:
    """Columns t, flat, contrast: the mean weight of the census."""
    if "census" not in inputs.tables:
        return pd.DataFrame(columns=["t", "flat", "contrast"])
    means = inputs.tables["census"].groupby(["t", "contrast_class"])["w"].mean().unstack()
    return means.reindex(columns=["flat", "contrast"]).rename_axis(columns=None).reset_index()


def heldout_difference(inputs: Inputs) -> pd.DataFrame:
    """Columns t, barrier: its held-out loss after training minus the baseline's, by tenth of t, mean over seeds."""
    if "losses" not in inputs.tables:
        return pd.DataFrame(columns=["t", "barrier"])
    losses = inputs.tables["losses"]
    arms = {arm: by_tenth(one[["t", "loss"]])["loss"] for arm, one in losses.groupby("arm")}
    table = pd.DataFrame(arms).reindex(columns=["baseline", "barrier"]).rename_axis("t").reset_index()
    return pd.DataFrame({"t": (table["t"] + 0.05).round(3), "barrier": table["barrier"] - table["baseline"]})


def verdicts(site: Site) -> pd.DataFrame:
    """One row per verdict with a margin: atom on system, its word, x in margins."""
    rows = [
        {
            "verdict": f"{line.atom.id} on {line.verdict.system}",
            "word": line.verdict.word,
            "effect_in_margins": line.verdict.effect.mean / line.verdict.margin,
        }
        for claim in site.found
        for line in claim.lines
        if line.verdict.effect and line.verdict.margin
    ]
    return pd.DataFrame(rows, columns=["verdict", "word", "effect_in_margins"])


def metrics(site: Site) -> dict:
    """Paired differences of the small model by metric and arm, for `dvc metrics show` and `dvc metrics diff`."""
    return {
        f"{row['metric']}/{row['arm']}": {key: row[key] for key in ("difference", "low", "high", "seeds")}
        for row in site.context["differences"]
    }
