"""Losses: the base model's by t, every arm's during training, and every arm's on held-out clips."""

import pandas as pd
import seaborn as sns

from eisbach.metrics.loss_by_t import by_tenth
from predictions.report import svg
from predictions.report.pictures import Picture
from predictions.report.theme import arm_colours, arm_marks

PREDICTORS = {  # name in base.json: label, colour
    "model": ("base model", "#2E86C1"),
    "linear": ("best per-channel linear", "#BF8A00"),
    "scalar": ("best scalar", "#808080"),
    "zero": ("zero", "#C4689A"),
}


def base_loss(losses: pd.DataFrame, references: dict[str, dict[str, float]]) -> Picture:
    """The base model's held-out loss by t, compared with predictors that are not trained on music.

    `references` is the table `loss_by_tenth_of_t` of base.json: tenth of t -> predictor -> loss.
    """
    table = pd.DataFrame.from_dict(references, orient="index").rename_axis("t").reset_index()
    table["t"] = table["t"].astype(float) + 0.05
    names = {key: words for key, (words, _) in PREDICTORS.items()}
    long = table[["t", *names]].rename(columns=names).melt("t", var_name="predictor", value_name="loss")
    clips = losses["clip_id"].nunique()
    with svg.style():
        figure, axes = svg.figure()
        sns.lineplot(
            long, x="t", y="loss", hue="predictor", style="predictor", markers=True, dashes=False,
            palette=dict(PREDICTORS.values()), ax=axes,
        )  # fmt: skip
        axes.set(xlabel="t (1 = pure noise)", ylabel="mean squared error of the velocity", xlim=(0, 1))
        svg.logarithmic(axes, "y")
        axes.legend(title=None, ncols=2, loc="upper center", bbox_to_anchor=(0.5, 1.22))
        ratio = (table["model"] / table["linear"]).agg(["min", "max"])
        alt = (
            f"The base model's loss lies between {ratio['min']:.2f} and {ratio['max']:.2f} times that of the best "
            "per-channel linear predictor, by tenth of t."
        )
        caption = (
            f"The base model before fine-tuning, n = {clips} held-out clips. The other predictors use no network; "
            "their coefficients are fitted to the draws on which they are evaluated, which favours them."
        )
        return Picture(svg.inline(figure, "base-loss", alt), alt, caption)


def training_loss(telemetry: pd.DataFrame, reference: str) -> Picture:
    """Above: the unweighted training loss of `reference`. Below: each arm's loss minus it. Means over bins of steps."""
    width = max(1, (telemetry["step"].max() + 1) // 20)
    binned = telemetry.assign(step=(telemetry["step"] // width + 0.5) * width)
    means = binned.groupby(["arm", "seed", "step"])["loss"].mean().unstack("arm")
    own = means[reference].rename("loss").reset_index()
    differences = means.drop(columns=reference).sub(means[reference], axis=0).melt(
        var_name="arm", value_name="difference", ignore_index=False
    ).dropna().reset_index()  # fmt: skip
    arms, seeds = differences["arm"].unique(), own["seed"].nunique()
    interval = {"errorbar": ("ci", 95) if seeds > 1 else None, "seed": 0}
    with svg.style():
        figure, (above, below) = svg.figure(rows=2, height=4.4, sharex=True)
        sns.lineplot(own, x="step", y="loss", color=arm_colours([reference])[reference], ax=above, **interval)
        sns.lineplot(
            differences,
            x="step",
            y="difference",
            hue="arm",
            style="arm",
            palette=arm_colours(arms),
            ax=below,
            **interval,
        )
        below.axhline(0, color=svg.INK, linewidth=0.8)
        above.set(ylabel=f"loss of {reference}")
        below.set(xlabel="step", ylabel=f"minus {reference}")
        _legend(below, len(arms))
        last = differences[differences["step"] == differences["step"].max()].groupby("arm")["difference"].mean()
        latest = own.loc[own["step"] == own["step"].max(), "loss"].mean()
        alt = f"Loss of {reference} in the last steps: {latest:.3f}. Difference to it: "
        alt += ", ".join(f"{arm} {value:+.2g}" for arm, value in last.items()) + "."
        caption = (
            f"Above: unweighted training loss of {reference}, mean over n = {seeds} "
            f"{'seeds with 95 % bootstrap interval' if seeds > 1 else 'seed'}. Below: each arm's loss on the "
            f"same batches, minus that of {reference}."
        )
        return Picture(svg.inline(figure, "training-loss", alt), alt, caption)


def heldout_difference(losses: pd.DataFrame, reference: str) -> Picture:
    """Held-out loss of every arm minus that of `reference`, by tenth of t: thin lines for seeds, bold for the mean."""
    wide = pd.concat(
        {key: by_tenth(one[["t", "loss"]])["loss"] for key, one in losses.groupby(["arm", "seed"])},
        names=["arm", "seed"],
    ).unstack("arm")
    long = wide.drop(columns=reference).sub(wide[reference], axis=0).rename_axis(columns="arm").stack()
    long = long.rename("difference").reset_index()
    long["t"] = long["t_from"] + 0.05
    arms = long["arm"].unique()
    keywords = {"x": "t", "y": "difference", "hue": "arm", "palette": arm_colours(arms)}
    with svg.style():
        figure, axes = svg.figure()
        sns.lineplot(long, units="seed", estimator=None, linewidth=0.6, alpha=0.4, legend=False, ax=axes, **keywords)
        sns.lineplot(
            long, errorbar=None, style="arm", markers=arm_marks(arms), dashes=False, ax=axes, **keywords
        )  # fmt: skip
        axes.axhline(0, color=svg.INK, linewidth=0.8)
        axes.set(xlabel="t (1 = pure noise)", ylabel=f"loss minus that of {reference}", xlim=(0, 1))
        _legend(axes, len(arms))
        means = long.groupby("arm")["difference"].mean()
        alt = "Mean difference over all t: " + ", ".join(f"{arm} {value:+.2g}" for arm, value in means.items()) + "."
        caption = (
            f"Held-out loss after training minus that of {reference}, on each seed's grid of clips, noise and t. "
            f"Thin lines: n = {losses['seed'].nunique()} seeds. Bold lines: their mean. Below zero is better than "
            f"{reference}."
        )
        return Picture(svg.inline(figure, "heldout-difference", alt), alt, caption)


def _legend(axes, entries: int) -> None:
    axes.legend(title=None, ncols=min(entries, 4), loc="lower center", bbox_to_anchor=(0.5, 1.0))
