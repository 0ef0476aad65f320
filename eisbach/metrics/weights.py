"""Metrics of the barrier's weight and of the held-out loss, from the table of `eisbach.inference.weight_stats`.

The weight is the barrier's formula applied to the arm's output, whatever weighting the arm was trained with. The table
has a row per (clip, t) with t spread evenly over [0, 1]; training draws t from another distribution.
"""

import numpy as np
import pandas as pd
from scipy import stats

CLASSES = ("flat", "contrast")
OF_CLASSES = ("/flat", "/contrast", "/contrast_flat", "/label")  # suffixes of the metrics that depend on the classes


def of_known_classes(metrics: dict[str, float], table: pd.DataFrame) -> dict[str, float]:
    """`metrics`, without those that depend on contrast classes if any clip's class was measured instead of arranged.

    A measured contrast is a statistic of the sound itself. Metrics by such classes do not test a claim about flat and
    contrast music, so they get no verdict.
    """
    if (table["contrast_source"] == "arrangement").all():
        return metrics
    return {name: value for name, value in metrics.items() if not name.endswith(OF_CLASSES)}


def loss_metrics(table: pd.DataFrame) -> dict[str, float]:
    """Mean held-out loss over all clips and by class, and the ratio contrast / flat. NaN for a class without clips."""
    by_class = {name: table.loc[table["contrast_class"] == name, "loss"].mean() for name in CLASSES}
    return {
        "heldout_loss": table["loss"].mean(),
        **{f"heldout_loss/{name}": value for name, value in by_class.items()},
        "heldout_loss_ratio/contrast_flat": by_class["contrast"] / by_class["flat"],
    }


def weight_metrics(table: pd.DataFrame) -> dict[str, float]:
    """Metrics of the weight. `table` has `clip_id`, `t`, `contrast_class`, `w`, `entropy`, `loss` per (clip, t).

    NaN for a class without clips.
    """
    weights, tenth = table["w"], (table["t"] * 10).astype(int)
    by_class = table.groupby("contrast_class")["w"].mean().reindex(CLASSES)
    per_clip = table.groupby("clip_id").apply(lambda one: _spearman(one["t"], one["w"]), include_groups=False)
    low, high = table[table["t"] < 0.2], table[table["t"] > 0.8]
    return {
        "w/t<0.2": low["w"].mean(),
        "w/t>0.8": high["w"].mean(),
        "w_spearman_t": per_clip.mean(),
        "w_rise_share_t": rise_share(table.groupby(tenth)["w"].mean().to_numpy()),
        "w_ratio/contrast_flat": by_class["contrast"] / by_class["flat"],
        "weight_cv": weights.std(ddof=0) / weights.mean(),
        "effective_sample_share": effective_sample_share(weights),
        "entropy_loss_rho/t<0.2": stratified_rho(low),
        "entropy_loss_rho/t>0.8": stratified_rho(high),
    }


def effective_sample_share(weights: pd.Series) -> float:
    """Kish's effective sample size as a share of the n samples: (sum w)^2 / (n sum w^2), 1/n..1."""
    return weights.sum() ** 2 / (len(weights) * np.square(weights).sum())


def rise_share(curve: np.ndarray) -> float:
    """Largest rise from one value of a curve [n] to a later one, divided by the curve's range, 0..1.

    0 for a curve that only falls, 1 for one that never falls, constant curves included.
    """
    rise = (curve - np.minimum.accumulate(curve)).max()
    return float(rise / np.ptp(curve)) if np.ptp(curve) > 0 else 1.0


def stratified_rho(table: pd.DataFrame) -> float:
    """Spearman correlation of entropy and loss within each (class, t), averaged with the numbers of clips as weights.

    Entropy and loss both depend on t and on the class, so the pooled correlation would not be 0 even if they were
    independent given both. Strata of fewer than three clips are left out; NaN when none is left.
    """
    strata = [(len(one), _spearman(one["entropy"], one["loss"])) for _, one in table.groupby(["contrast_class", "t"])]
    strata = [(count, rho) for count, rho in strata if count >= 3]
    if not strata:
        return float("nan")
    counts, rhos = map(np.array, zip(*strata, strict=True))
    return float(counts @ rhos / counts.sum())


def _spearman(one: pd.Series, other: pd.Series) -> float:
    """Spearman's rho; 0 when one of the two is constant."""
    if one.nunique() < 2 or other.nunique() < 2:
        return 0.0
    return float(stats.spearmanr(one, other).statistic)
