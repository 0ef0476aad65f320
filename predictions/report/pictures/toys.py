"""Toys, where the truth is known: weights beside their closed form, learning curves, lambda, samples."""

import numpy as np
import pandas as pd
import seaborn as sns

from predictions.report import svg
from predictions.report.pictures import Picture, plane
from predictions.report.summary import student_interval
from predictions.report.theme import CLASSES, INK, arm_colours, metric_name

LAM = 0.5  # the paper's
CURVES = ("baseline", "barrier", "timestep", "oracle")
SWEPT = ("excess_risk", "vendi_gaussian")  # the metrics that are drawn against lambda
RUNS = {"short": ("--", "o"), "converged": ("-", "s")}


def of_regime(regime: str, tables: dict[str, pd.DataFrame]) -> list[Picture]:
    """What can be drawn of one regime from the toys' tables, each of which may be missing."""
    name = "toy-" + "".join(character if character.isalnum() else "-" for character in regime)
    drawn = []
    for table, draw in (
        ("toy_weights", weights),
        ("toy_curves", curves),
        ("toy_outcomes", effect_of_lambda),
        ("toy_draws", samples),
    ):
        if table in tables:
            rows = tables[table]
            rows = rows[rows["adapter"] == "full"]  # beside it LoRA and DoRA on bases of another law
            drawn.append(draw(rows[rows["regime"] == regime], f"{name}-{table.removeprefix('toy_')}"))
    return [picture for picture in drawn if picture]


def samples(table: pd.DataFrame, name: str) -> Picture | None:
    """Samples of every arm over the law, of converged runs at the paper's lambda."""
    return plane.samples(_converged(_at_the_papers_lambda(table)), name)


def weights(table: pd.DataFrame, name: str) -> Picture | None:
    """Mean w by t and class: the closed form as a line, trained baselines as points."""
    exact = table[table["source"] == "closed form"]
    trained = _converged(table[(table["source"] == "trained") & (table["arm"] == "baseline")])
    if exact.empty:
        return None
    with svg.style():
        figure, axes = svg.figure(height=3.0)
        for label, rows in exact.groupby("class", sort=False):
            colour = CLASSES.get(label, INK)
            axes.plot(rows["t"], rows["w"], color=colour, linestyle="--" if label == "contrast" else "-", label=label)
            axes.fill_between(rows["t"], rows["w_low"], rows["w_high"], color=colour, alpha=0.2, linewidth=0)
            means = trained[trained["class"] == label].groupby("t")["w"].mean()
            axes.plot(means.index, means, "D" if label == "contrast" else "o", color=colour, markersize=4)
        axes.set(xlabel="t (1 = pure noise)", ylabel="weight w of Eq. 4", xlim=(0, 1), ylim=(0, None))
        _legend(axes)
        wide = exact.pivot_table(index="t", columns="class", values="w")
        ratio = (wide["contrast"] / wide["flat"]).agg(["min", "max"])
        alt = f"Closed form: the weight of contrast over flat lies between {ratio['min']:.2f} and {ratio['max']:.2f}."
        points = f" Points: trained baselines, n = {trained['seed'].nunique()} seeds." if len(trained) else ""
        caption = f"Line: the ideal model's weight with 95 % interval.{points} {alt}"
        return Picture(svg.inline(figure, name, alt), alt, caption)


def curves(table: pd.DataFrame, name: str) -> Picture | None:
    """Excess risk against steps, a panel for each class; mean and 95 % interval over seeds."""
    rows = _at_the_papers_lambda(table[(table["optimizer"] == "adamw") & table["arm"].isin(CURVES)])
    if rows.empty:
        return None
    with svg.style():
        figure, panels = svg.figure(rows=2, height=4.6, sharex=True)
        for axes, label in zip(panels, ("flat", "contrast"), strict=True):
            sns.lineplot(
                rows[rows["class"] == label], x="step", y="excess_risk", hue="arm", style="arm",
                hue_order=[arm for arm in CURVES if arm in set(rows["arm"])], palette=arm_colours(CURVES),
                errorbar=("ci", 95), n_boot=200, seed=0, legend="full" if label == "flat" else False, ax=axes,
            )  # fmt: skip
            axes.set(ylabel=f"excess risk, {label}", xlabel="step")
            svg.logarithmic(axes, "x")
            svg.logarithmic(axes, "y")
        _legend(panels[0])
        last = rows[rows["step"] == rows["step"].max()].groupby(["class", "arm"])["excess_risk"].mean()
        alt = "At the end: " + ", ".join(f"{arm} on {label} {value:.3g}" for (label, arm), value in last.items()) + "."
        caption = (
            "Loss beyond the least that any model can reach, which is known here. Mean and 95 % bootstrap interval "
            f"over n = {rows['seed'].nunique()} seeds, AdamW, lambda {LAM:g}."
        )
        return Picture(svg.inline(figure, name, alt), alt, caption)


def effect_of_lambda(table: pd.DataFrame, name: str) -> Picture | None:
    """The barrier minus the baseline against lambda, paired by seed: excess risk and diversity, short and converged."""
    rows = table[(table["optimizer"] == "adamw") & table["arm"].isin(["baseline", "barrier"])]
    measured = [metric for metric in SWEPT if metric in set(rows["metric"])]
    if rows.loc[rows["arm"] == "barrier", "lam"].nunique() < 2 or not measured:
        return None
    said = []
    with svg.style():
        figure, panels = svg.figure(rows=len(measured), height=2.1 * len(measured) + 0.4, sharex=True)
        for axes, metric in zip(np.atleast_1d(panels), measured, strict=True):
            for run, (line, mark) in RUNS.items():
                effects = _paired(rows[(rows["metric"] == metric) & (rows["run"] == run)])
                if effects.empty:
                    continue
                mean, low, high = (effects[column] for column in ("mean", "low", "high"))
                axes.errorbar(
                    effects.index, mean, [mean - low, high - mean], color=arm_colours(["barrier"])["barrier"],
                    linestyle=line, linewidth=1.2, marker=mark, markersize=4, capsize=2, label=run,
                )  # fmt: skip
                said.append(f"{metric_name(metric)}, {run}, at lambda {effects.index[-1]:g}: {mean.iloc[-1]:+.3g}")
            axes.axhline(0, color=INK, linewidth=0.8)
            axes.set_ylabel(f"{metric_name(metric)}\nminus baseline's")
        np.atleast_1d(panels)[-1].set_xlabel("lambda")
        _legend(np.atleast_1d(panels)[0])
        alt = "; ".join(said) + "."
        caption = (
            "The barrier minus the baseline by lambda. Mean and Student's 95 % interval over "
            f"n = {rows['seed'].nunique()} paired seeds."
        )
        return Picture(svg.inline(figure, name, alt), alt, caption)


def _converged(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["run"] == "converged") & (table["optimizer"] == "adamw")]


def _at_the_papers_lambda(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["lam"].isna() | np.isclose(table["lam"], LAM)]


def _paired(rows: pd.DataFrame) -> pd.DataFrame:
    """Index lambda; mean, low and high of the barrier minus the baseline over seeds."""
    baseline = rows[rows["arm"] == "baseline"].set_index("seed")["value"]
    found = {}
    for lam, one in rows[rows["arm"] == "barrier"].groupby("lam"):
        values = one.set_index("seed")["value"].sub(baseline).dropna().to_numpy()
        if len(values):
            found[lam] = (values.mean(), *student_interval(values))
    return pd.DataFrame.from_dict(found, orient="index", columns=["mean", "low", "high"])


def _legend(axes) -> None:
    axes.legend(title=None, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
