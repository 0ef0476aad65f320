"""What the barrier's weight does on held-out clips, and the held-out loss by class: from a census's rows to numbers.

The weight is the barrier's formula on the arm's own output, whatever the arm was trained with. t is spread evenly
over [0, 1] here; training draws it otherwise.
"""

import numpy as np
import pandas as pd
from scipy import stats

CLASSES = ("flat", "contrast")
OF_CLASSES = ("/flat", "/contrast", "/contrast_flat")  # how the names of metrics end that hang on the classes


def of_known_classes(metrics: dict[str, float], table: pd.DataFrame) -> dict[str, float]:
    """`metrics` without those of classes where a clip's class was measured on its sound, not arranged.

    A measured contrast is itself a statistic of the sound: what it shows about flat and contrast music is no test of
    a claim about them, so the verdicts do not get to see it.
    """
    if (table["contrast_source"] == "arrangement").all():
        return metrics
    return {name: value for name, value in metrics.items() if not name.endswith(OF_CLASSES)}


def loss_metrics(table: pd.DataFrame) -> dict[str, float]:
    """Mean held-out loss over all clips and by class, and the ratio of the classes."""
    by_class = {name: table.loc[table["contrast_class"] == name, "loss"].mean() for name in CLASSES}
    return {
        "heldout_loss": table["loss"].mean(),
        **{f"heldout_loss/{name}": value for name, value in by_class.items()},
        "heldout_loss_ratio/contrast_flat": by_class["contrast"] / by_class["flat"],
    }


def weight_metrics(table: pd.DataFrame) -> dict[str, float]:
    """`table` has a row per (clip, t) with `w`, `B`, `loss`, `contrast_class`. A class without clips gives NaN."""
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
        "w_ratio_min_bin/contrast_flat": least_ratio(table.assign(tenth=tenth)),
        "weight_cv": weights.std(ddof=0) / weights.mean(),
        "effective_sample_share": weights.sum() ** 2 / (len(weights) * np.square(weights).sum()),
        "entropy_loss_rho/t<0.2": stratified_rho(low),
        "entropy_loss_rho/t>0.8": stratified_rho(high),
    }


def least_ratio(table: pd.DataFrame) -> float:
    """The ratio of the classes' mean weights in the tenth of t where it is least.

    The tenth is chosen on every other clip of a class and the ratio is that of the other clips, both ways: the least of
    ten noisy ratios lies below all of them even where they are equal. NaN where a class has fewer than two clips.
    """
    place = table.groupby("contrast_class")["clip_id"].rank(method="dense").mod(2)
    by_bin = table.groupby([place, "tenth", "contrast_class"])["w"].mean().unstack().reindex(columns=CLASSES)
    ratios = (by_bin["contrast"] / by_bin["flat"]).unstack(0).reindex(columns=[0, 1])
    if ratios.isna().any(axis=None):
        return float("nan")
    return float(np.mean([ratios.loc[ratios[1 - half].idxmin(), half] for half in (0, 1)]))


def rise_share(curve: np.ndarray) -> float:
    """The largest rise from one place of a curve to a later one over its range: 0 if it falls throughout, 1 if it
    never falls. A level one does not fall either.
    """
    rise = (curve - np.minimum.accumulate(curve)).max()
    return float(rise / np.ptp(curve)) if np.ptp(curve) > 0 else 1.0


def stratified_rho(table: pd.DataFrame) -> float:
    """Spearman correlation of B and loss within each (class, t), weighted by clips; strata under 3 are left out.

    Within strata, because both B and loss depend on t and on the class: pooled, they correlate without any link.
    """
    strata = [(len(one), _spearman(one["B"], one["loss"])) for _, one in table.groupby(["contrast_class", "t"])]
    strata = [(count, rho) for count, rho in strata if count >= 3]
    if not strata:
        return float("nan")
    counts, rhos = map(np.array, zip(*strata, strict=True))
    return float(counts @ rhos / counts.sum())


def _spearman(one: pd.Series, other: pd.Series) -> float:
    """Spearman's rho; 0 where one of the two does not vary."""
    if one.nunique() < 2 or other.nunique() < 2:
        return 0.0
    return float(stats.spearmanr(one, other).statistic)
