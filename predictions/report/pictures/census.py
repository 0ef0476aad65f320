"""The census: what the weight is on held-out clips under the base model, without any training."""

import pandas as pd
import seaborn as sns

from predictions.report import svg
from predictions.report.pictures import Picture
from predictions.report.theme import CLASSES, INK

SPREAD = "Line: mean; band: the middle 80 % of clips."


def weight_by_t(census: pd.DataFrame) -> Picture:
    """w against t for flat and contrast clips: mean, and the middle 80 % of clips."""
    with svg.style():
        figure, axes = svg.figure()
        _by_class(census, "w", axes)
        axes.set(xlabel="t (1 = pure noise)", ylabel="weight w of Eq. 4", xlim=(0, 1), ylim=(0, None))
        by_t = census.groupby("t")["w"].mean()
        alt = (
            f"The mean weight is {by_t.iloc[0]:.3f} at t = {by_t.index[0]:.2f}, highest at t = {by_t.idxmax():.2f} "
            f"({by_t.max():.3f}), and {by_t.iloc[-1]:.3f} at t = {by_t.index[-1]:.2f}."
        )
        caption = (
            f"The barrier's weight on n = {census['clip_id'].nunique()} held-out clips under the base model, before "
            f"any training. {SPREAD}"
        )
        return Picture(svg.inline(figure, "weight-by-t", alt), alt, caption)


def class_ratio(census: pd.DataFrame) -> Picture:
    """Mean w of contrast clips over that of flat clips, by t, with a bootstrap interval over clips."""
    flat = census[census["contrast_class"] == "flat"].groupby("t")["w"].mean()
    loud = census[census["contrast_class"] == "contrast"]
    relative = loud.assign(ratio=loud["w"] / loud["t"].map(flat))
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
            "How much more weight a high-contrast clip gets than a flat one at the same t: the contrast that a "
            f"curriculum could act by. 95 % bootstrap interval over n = {loud['clip_id'].nunique()} contrast clips, "
            "the flat clips' mean taken as fixed. At 1 the barrier cannot tell the classes apart."
        )
        return Picture(svg.inline(figure, "class-ratio", alt), alt, caption)


def spread_by_t(census: pd.DataFrame) -> Picture:
    """Coefficient of variation of w and of the factor between clips at the same t."""
    names = {"w": "weight w", "factor": "factor of Eq. 5"}
    spread = pd.DataFrame(
        {words: census.groupby("t")[name].agg(lambda one: one.std() / one.mean()) for name, words in names.items()}
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
        alt = f"Between clips at one t the factor on the loss varies by {most:.1%} of its mean at most."
        caption = (
            "How much the weights of clips differ at one noise level: what is left for 'which sample' once timestep "
            f"weighting is taken out. n = {census['clip_id'].nunique()} clips."
        )
        return Picture(svg.inline(figure, "spread-by-t", alt), alt, caption)


def weight_against_energy(census: pd.DataFrame) -> Picture:
    """w against the mean energy of the output: the weight has no scale of its own."""
    picked = census[census["contrast_class"].isin(["flat", "contrast"])]
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
            "The softmax has no temperature, so the weight depends on how loud the output is, not only on how uneven. "
            f"{alt} n = {len(picked)} pairs of clip and t in sixteenths by energy; line: mean, band: the middle 80 %."
        )
        return Picture(svg.inline(figure, "weight-energy", alt), alt, caption)


def sensitivity(table: pd.DataFrame) -> Picture:
    """w of the same outputs at fewer channels, at fewer positions, and at another scale; means by class."""
    names = {"channels": "channels kept", "positions": "positions kept", "scale": "scale of the output"}
    picked = table[table["contrast_class"].isin(["flat", "contrast"])]
    with svg.style():
        figure, panels = svg.figure(columns=3, height=2.6, width=6.4, sharey=True)
        for axes, (varied, words) in zip(panels, names.items(), strict=True):
            means = picked[picked["varied"] == varied].groupby(["contrast_class", "value"])["w"].mean()
            for label in ("flat", "contrast"):
                style = "s--" if label == "contrast" else "o-"
                axes.plot(means[label].index, means[label], style, color=CLASSES[label], markersize=4, label=label)
            axes.set(xlabel=words, xlim=(0, None), ylim=(0, None))
        panels[0].set_ylabel("mean weight w")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
        means = picked.groupby(["varied", "value"])["w"].mean()
        alt = "; ".join(
            f"{words} {means[varied].index[0]:g} to {means[varied].index[-1]:g}: w {means[varied].iloc[0]:.3f} to "
            f"{means[varied].iloc[-1]:.3f}"
            for varied, words in names.items()
        )
        caption = (
            f"The same outputs on n = {picked['clip_id'].nunique()} held-out clips and all t, with some channels or "
            "positions left out, or multiplied by a number: the music stays the same, the weight does not."
        )
        return Picture(svg.inline(figure, "sensitivity", alt), alt, caption)


def _by_class(census: pd.DataFrame, column: str, axes) -> None:
    present = [name for name in CLASSES if (census["contrast_class"] == name).any()]
    sns.lineplot(
        census, x="t", y=column, hue="contrast_class", hue_order=present, style="contrast_class", palette=CLASSES,
        errorbar=("pi", 80), ax=axes,
    )  # fmt: skip
    axes.legend(title=None, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
