"""Pictures of tidy tables, as SVG text. One colour per arm and per class, everywhere."""

import io

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns

from eisbach.metrics.loss_by_t import by_tenth

CLASSES = {"flat": "#0072B2", "middle": "#999999", "contrast": "#D55E00"}  # Okabe-Ito: safe for colour-blind readers
ARMS = ("#444444", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#0072B2", "#D55E00", "#F0E442")
SIZE = (6.4, 3.8)  # inches


def weight_by_t(census: pd.DataFrame) -> str:
    """The barrier's weight against t for flat and contrast clips: mean, and the middle 80 % of clips."""
    figure, axes = plt.subplots(figsize=SIZE)
    sns.lineplot(
        census,
        x="t",
        y="w",
        hue="contrast_class",
        hue_order=list(CLASSES),
        palette=CLASSES,
        errorbar=("pi", 80),
        ax=axes,
    )
    axes.set(xlabel="t (1 = pure noise)", ylabel="weight w of Eq. 4", xlim=(0, 1), ylim=(0, None))
    axes.legend(title="arrangement", frameon=False)
    return _svg(figure)


def base_loss(losses: pd.DataFrame, references: dict[str, dict[str, float]]) -> str:
    """Held-out loss of the base by t beside predictors that know no music."""
    figure, axes = plt.subplots(figsize=SIZE)
    table = pd.DataFrame.from_dict(references, orient="index")
    table.index = table.index.astype(float) + 0.05
    labels = {"model": "base model", "linear": "best per-channel linear", "scalar": "best scalar", "zero": "zero"}
    long = table[list(labels)].rename(columns=labels).rename_axis("t").reset_index().melt("t", var_name="predictor")
    sns.lineplot(
        long, x="t", y="value", hue="predictor", style="predictor", markers=True, palette="colorblind", ax=axes
    )
    axes.set(xlabel="t (1 = pure noise)", ylabel="held-out velocity loss", xlim=(0, 1), yscale="log")
    axes.legend(title="", frameon=False)
    axes.set_title(f"{losses['clip_id'].nunique()} held-out clips", fontsize=9, loc="left")
    return _svg(figure)


def training_loss(telemetry: pd.DataFrame) -> str:
    """The unweighted loss of every arm while it trained, mean over samples and seeds, in bins of steps."""
    figure, axes = plt.subplots(figsize=SIZE)
    width = max(1, (telemetry["step"].max() + 1) // 20)
    binned = telemetry.assign(step=(telemetry["step"] // width + 0.5) * width)
    means = binned.groupby(["arm", "seed", "step"], as_index=False)["loss"].mean()
    sns.lineplot(means, x="step", y="loss", hue="arm", palette=_palette(means), errorbar=("ci", 95), seed=0, ax=axes)
    axes.set(xlabel="step", ylabel="unweighted training loss")
    axes.legend(title="arm", frameon=False)
    axes.set_title(f"mean and 95 % interval over {telemetry['seed'].nunique()} seeds", fontsize=9, loc="left")
    return _svg(figure)


def heldout_difference(losses: pd.DataFrame, reference: str) -> str:
    """Held-out loss of every arm minus `reference`'s, by tenth of t: one line a seed, and their mean."""
    figure, axes = plt.subplots(figsize=SIZE)
    table = losses.groupby(["arm", "seed"]).apply(lambda one: by_tenth(one[["t", "loss"]]), include_groups=False)[
        "loss"
    ]
    wide = table.unstack("arm")
    long = wide.drop(columns=reference).sub(wide[reference], axis=0).stack().rename("difference").reset_index()
    long["t"] = long["t_from"] + 0.05
    palette = _palette(losses)
    keywords = {"x": "t", "y": "difference", "hue": "arm", "palette": palette, "ax": axes}
    sns.lineplot(long, units="seed", estimator=None, linewidth=0.6, alpha=0.5, legend=False, **keywords)
    sns.lineplot(long, errorbar=None, marker="o", **keywords)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set(xlabel="t (1 = pure noise)", ylabel=f"held-out loss minus {reference}'s", xlim=(0, 1))
    axes.legend(title="arm", frameon=False)
    axes.set_title(f"thin: each of {losses['seed'].nunique()} seeds; bold: their mean", fontsize=9, loc="left")
    return _svg(figure)


def _palette(table: pd.DataFrame) -> dict[str, str]:
    return dict(zip(table["arm"].unique(), ARMS, strict=False))


def _svg(figure) -> str:
    sns.despine(figure)
    figure.tight_layout()
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "eisbach", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    plt.close(figure)
    text = buffer.getvalue()
    return text[text.index("<svg") :]
