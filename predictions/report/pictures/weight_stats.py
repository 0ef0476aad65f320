"""The weight on held-out clips under the base model, before any training: the tables of the stage `census`."""

import pandas as pd
import seaborn as sns

from predictions.report import svg
from predictions.report.pictures import Picture
from predictions.report.theme import CLASSES, INK

SPREAD = "Line: mean. Band: middle 80 % of clips."


def weight_by_t(table: pd.DataFrame) -> Picture:
    """w against t by class: mean, and the middle 80 % of clips.

    `table` has one row per (clip, t): `clip_id`, `contrast_class`, `t`, `w`, `factor` and `energy`.
    """
    with svg.style():
        figure, axes = svg.figure()
        _by_class(table, "w", axes)
        axes.set(xlabel="t (1 = pure noise)", ylabel="weight w of Eq. 4", xlim=(0, 1), ylim=(0, None))
        by_t = table.groupby("t")["w"].mean()
        alt = (
            f"The mean weight is {by_t.iloc[0]:.3f} at t = {by_t.index[0]:.2f}, {by_t.max():.3f} at t = "
            f"{by_t.idxmax():.2f}, where it is largest, and {by_t.iloc[-1]:.3f} at t = {by_t.index[-1]:.2f}."
        )
        caption = (
            f"The barrier's weight on n = {table['clip_id'].nunique()} held-out clips under the base model, before "
            f"any training. {SPREAD}"
        )
        return Picture(svg.inline(figure, "weight-by-t", alt), alt, caption)


def class_ratio(table: pd.DataFrame) -> Picture:
    """Mean w of contrast clips over mean w of flat clips, by t, with a bootstrap interval over contrast clips."""
    flat = table[table["contrast_class"] == "flat"].groupby("t")["w"].mean()
    contrast = table[table["contrast_class"] == "contrast"]
    relative = contrast.assign(ratio=contrast["w"] / contrast["t"].map(flat))
    with svg.style():
        figure, axes = svg.figure(height=3.0)
        sns.lineplot(
            relative, x="t", y="ratio", color=CLASSES["contrast"], errorbar=("ci", 95), seed=0, marker="o", ax=axes
        )
        axes.axhline(1, color=INK, linewidth=0.8)
        axes.set(xlabel="t (1 = pure noise)", ylabel="w, contrast over flat", xlim=(0, 1))
        means = relative.groupby("t")["ratio"].mean()
        alt = f"The ratio lies between {means.min():.3f} and {means.max():.3f}."
        caption = (
            "Mean weight of contrast clips over mean weight of flat clips at the same t. A curriculum needs a ratio "
            f"above 1. 95 % bootstrap interval over n = {contrast['clip_id'].nunique()} contrast clips, with the mean "
            "of the flat clips fixed."
        )
        return Picture(svg.inline(figure, "class-ratio", alt), alt, caption)


def spread_by_t(table: pd.DataFrame) -> Picture:
    """Coefficient of variation of w and of the factor of Eq. 5 over the clips at one t."""
    names = {"w": "weight w", "factor": "factor of Eq. 5"}
    spread = pd.DataFrame(
        {words: table.groupby("t")[name].agg(lambda one: one.std() / one.mean()) for name, words in names.items()}
    )
    long = spread.reset_index().melt("t", var_name="of", value_name="variation")
    with svg.style():
        figure, axes = svg.figure(height=3.0)
        sns.lineplot(
            long, x="t", y="variation", hue="of", style="of", markers=True, palette=["#2E86C1", "#D55E00"], ax=axes
        )
        axes.set(xlabel="t (1 = pure noise)", ylabel="standard deviation / mean", xlim=(0, 1), ylim=(0, None))
        axes.legend(title=None, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
        most = spread["factor of Eq. 5"].max()
        alt = f"Over the clips at one t, the standard deviation of the factor is at most {most:.1%} of its mean."
        caption = (
            "Spread of the weights over clips at one noise level: the part of the weighting that is not timestep "
            f"weighting. n = {table['clip_id'].nunique()} clips."
        )
        return Picture(svg.inline(figure, "spread-by-t", alt), alt, caption)


def weight_against_energy(table: pd.DataFrame) -> Picture:
    """w against the mean energy of the output, by class, in 16 bins by energy."""
    picked = table[table["contrast_class"].isin(["flat", "contrast"])]
    bins = picked.groupby("contrast_class")["energy"].transform(
        lambda one: pd.qcut(one, 16, labels=False, duplicates="drop")
    )
    middles = picked.groupby(["contrast_class", bins.rename("bin")])["energy"].transform("median")
    with svg.style():
        figure, axes = svg.figure(height=3.2)
        sns.lineplot(
            picked.assign(energy=middles), x="energy", y="w", hue="contrast_class", hue_order=["flat", "contrast"],
            style="contrast_class", palette=CLASSES, errorbar=("pi", 80), ax=axes,
        )  # fmt: skip
        axes.set(xlabel="mean energy of the output", ylabel="weight w of Eq. 4", ylim=(0, None))
        axes.legend(title=None, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
        rank = picked[["energy", "w"]].corr("spearman").iloc[0, 1]
        alt = f"Rank correlation of energy and weight over clips and t: {rank:+.2f}."
        caption = (
            "The softmax has no temperature, so the weight depends on the level of the output, not only on its "
            f"contrast. {alt} n = {len(picked)} pairs of clip and t, in 16 bins by energy. Line: mean. Band: middle "
            "80 %."
        )
        return Picture(svg.inline(figure, "weight-energy", alt), alt, caption)


def _by_class(table: pd.DataFrame, column: str, axes) -> None:
    present = [name for name in CLASSES if (table["contrast_class"] == name).any()]
    sns.lineplot(
        table, x="t", y=column, hue="contrast_class", hue_order=present, style="contrast_class", palette=CLASSES,
        errorbar=("pi", 80), ax=axes,
    )  # fmt: skip
    axes.legend(title=None, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
