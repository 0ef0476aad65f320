"""Pictures of the toys' tables: each takes tables and returns a matplotlib figure; colours as in the report."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

CLASSES = {"flat": "#0072B2", "contrast": "#D55E00"}  # Okabe-Ito: safe for colour-blind readers
SIZE = (6.4, 3.8)  # inches


def main_run(table: pd.DataFrame, run: str = "converged") -> pd.DataFrame:
    """Rows of AdamW, full training and one length: the part that most pictures show."""
    return table[(table["optimizer"] == "adamw") & (table["adapter"] == "full") & (table["run"] == run)]


def densities(draws: pd.DataFrame, regime: str, arms: list[str], lam: float = 0.5) -> Figure:
    """Samples of arms of the first seed beside exact ones, one panel an arm."""
    table = main_run(draws[draws["regime"] == regime])
    table = table[(table["seed"] == table["seed"].min()) | (table["arm"] == "exact")]
    table = table[table["arm"].isin(["exact", *arms]) & (table["lam"].isna() | (table["lam"] == lam))]
    grid = sns.relplot(
        table, x="x", y="y", col="arm", col_order=["exact", *arms], s=6, color="#444444", linewidth=0, height=1.9
    )
    grid.set(xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), xlabel="", ylabel="").set_titles("{col_name}")
    for axes in grid.axes.flat:
        axes.set_aspect("equal")
    return grid.figure


def weight_by_t(weights: pd.DataFrame, regime: str, arm: str = "baseline") -> Figure:
    """The ideal w by class with its 95 % band, and under it the trained arm's: points, the mean over seeds."""
    table = main_run(weights[weights["regime"] == regime])
    exact = table[table["source"] == "closed form"]
    trained = table[(table["source"] == "trained") & (table["arm"] == arm)]
    figure, axes = plt.subplots(figsize=SIZE)
    for name, colour in CLASSES.items():
        curve = exact[exact["class"] == name].sort_values("t")
        axes.fill_between(curve["t"], curve["w_low"], curve["w_high"], color=colour, alpha=0.25, linewidth=0)
        axes.plot(curve["t"], curve["w"], color=colour, label=f"{name}, closed form")
    if len(trained):
        sns.lineplot(
            trained,
            x="t",
            y="w",
            hue="class",
            palette=CLASSES,
            linestyle="",
            marker="o",
            err_style="bars",
            errorbar=("ci", 95),
            seed=0,
            legend=False,
            ax=axes,
        )
    axes.set(xlabel="t (1 = pure noise)", ylabel="weight w of Eq. 4", xlim=(0, 1), ylim=(0, None), title=regime)
    axes.legend(frameon=False)
    return _finished(figure)


def learning_curves(curves: pd.DataFrame, regime: str, arms: list[str], lam: float = 0.5) -> Figure:
    """Excess risk against the step by class, mean and 95 % interval over seeds, one style an arm."""
    table = curves[(curves["regime"] == regime) & (curves["optimizer"] == "adamw") & (curves["adapter"] == "full")]
    table = table[table["arm"].isin(arms) & (table["lam"].isna() | (table["lam"] == lam))]
    figure, axes = plt.subplots(figsize=SIZE)
    sns.lineplot(
        table,
        x="step",
        y="excess_risk",
        hue="class",
        style="arm",
        style_order=arms,
        palette=CLASSES,
        errorbar=("ci", 95),
        seed=0,
        ax=axes,
    )
    axes.set(xscale="log", yscale="log", ylabel="excess risk (loss minus Bayes loss)", title=regime)
    axes.legend(frameon=False, fontsize=7)
    return _finished(figure)


def effect_by_lambda(
    outcomes: pd.DataFrame, regime: str, metric: str = "relative_excess_risk/contrast", run: str = "converged"
) -> Figure:
    """Paired difference to the baseline against lambda with 95 % bootstrap intervals; arms of one lambda as points."""
    table = paired(main_run(outcomes[outcomes["regime"] == regime], run), metric)
    table = table[table["lam"].notna()]
    figure, axes = plt.subplots(figsize=SIZE)
    sns.pointplot(
        table,
        x="lam",
        y="difference",
        hue="arm",
        palette="colorblind",
        dodge=0.4,
        native_scale=False,
        errorbar=("ci", 95),
        seed=0,
        linestyle="none",
        ax=axes,
    )
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set(xlabel="lambda", ylabel=f"{metric}\nminus the baseline's", title=f"{regime}, {run}")
    axes.legend(frameon=False, fontsize=7)
    return _finished(figure)


def paired(outcomes: pd.DataFrame, metric: str) -> pd.DataFrame:
    """`difference` of each arm, lambda and seed to the same seed's baseline."""
    table = outcomes[outcomes["metric"] == metric]
    baseline = table[table["arm"] == "baseline"].set_index("seed")["value"]
    others = table[table["arm"] != "baseline"]
    return others.assign(difference=others["value"] - np.asarray(baseline.loc[others["seed"]]))


def _finished(figure: Figure) -> Figure:
    sns.despine(figure)
    figure.tight_layout()
    return figure
