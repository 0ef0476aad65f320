"""One hypothesis: what every seed says, with the controls beside the arm, a group of rows for each regime and run."""

import numpy as np
import pandas as pd

from predictions.report import svg
from predictions.report.pictures import Picture
from predictions.report.text import visible
from predictions.report.theme import INK, arm_colours, arm_marks, metric_name, regime_name

GROUPS = 12  # more would be a wall
BANDS = {
    "scaled": " Grey band: smallest effect of interest, which is the unit.",
    "exact": " Grey band: allowed for rounding.",
}
NATURAL = ("bound", "exact")  # kinds whose values mean the same in every regime; differences do not


def by_seed(verdicts: list[dict], name: str) -> Picture | None:
    """Dots are seeds, marks are means, the bar is the interval, the band the smallest effect of interest.

    `verdicts` are those of one hypothesis. Differences are drawn in units of the smallest effect of interest, so that
    regimes can stand on one axis; bounds in the metric's own. A control's dots are its own difference from the same
    reference. None when no verdict has values of seeds.
    """
    judged = [verdict for verdict in verdicts if verdict["differences"]]
    shown = judged[:GROUPS]
    if not shown:
        return None
    scaled = shown[0]["kind"] not in NATURAL and all(verdict["margin"] for verdict in shown)
    tables = [_values(verdict) for verdict in shown]
    rows = sum(table["arm"].nunique() + 1.2 for table in tables)
    with svg.style():
        figure, axes = svg.figure(height=0.75 + 0.24 * rows)
        place = 0.0
        for verdict, table in zip(shown, tables, strict=True):
            bottom = _group(axes, place, verdict, table, verdict["margin"] if scaled else 1.0)
            axes.vlines(verdict["bound"] or 0.0, place + 0.9, bottom - 0.1, color=INK, linewidth=0.8)
            low, high = _band(verdict, scaled)
            axes.fill_betweenx([place + 0.9, bottom - 0.1], low, high, color=INK, alpha=0.07, linewidth=0)
            place = bottom
        axes.set(xlabel=_quantity(shown[0], scaled), ylim=(place + 0.1, -0.1))
        axes.grid(visible=False)
        axes.locator_params(axis="x", nbins=4)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.05)
        means = [np.mean([seed["value"] for seed in verdict["differences"]]) for verdict in shown]  # judged or not
        alt = "; ".join(
            f"{_title(verdict)}: mean {mean:.3g} over {verdict['n']} seeds"
            for verdict, mean in zip(shown, means, strict=True)
        )
        left = f" {len(judged) - GROUPS} more are in the table." if len(judged) > GROUPS else ""
        caption = (
            "Dots: seeds. Marks: means. Bar: 95 % interval. Rows below an arm are controls, against the same reference."
            f"{BANDS.get('scaled' if scaled else shown[0]['kind'], '')}{left}"
        )
        return Picture(svg.inline(figure, name, alt, left_spine=False), alt, caption)


def _band(verdict: dict, scaled: bool) -> tuple[float, float]:
    """The smallest effect of interest, which is the unit, or what an exact statement allows for rounding."""
    if scaled:
        return -1.0, 1.0
    width = verdict["margin"] if verdict["kind"] == "exact" else 0.0
    return (verdict["bound"] or 0.0) - width, (verdict["bound"] or 0.0) + width


def _group(axes, top: float, verdict: dict, table: pd.DataFrame, unit: float) -> float:
    """Draw one regime and run from `top` downwards; the place where the next group begins."""
    words = f"{_title(verdict)}: {verdict['effect_label']}, n = {verdict['n']}"
    axes.text(0, top + 0.5, words, transform=axes.get_yaxis_transform(), fontsize=8.5, va="center")
    arms = {arm: one["value"].to_numpy() / unit for arm, one in table.groupby("arm", sort=False)}
    base = {arm: arm.split("@")[0].split(":")[0] for arm in arms}
    colours, marks = arm_colours(base.values()), arm_marks(base.values())
    for row, (arm, values) in enumerate(arms.items()):
        y, colour = top + 1.4 + row, colours[base[arm]]
        axes.plot(values, [y] * len(values), "o", color=colour, alpha=0.45, markersize=3.5, markeredgewidth=0)
        if row == 0 and verdict["interval"] and None not in verdict["interval"]:
            axes.plot([end / unit for end in verdict["interval"]], [y, y], color=INK, linewidth=1.4)
        axes.plot([values.mean()], [y], marks[base[arm]], color=colour, markeredgecolor=INK, markersize=6.5)
        axes.text(
            -0.01, y, arm if len(arm) < 22 else f"{arm[:20]}…", transform=axes.get_yaxis_transform(), fontsize=8.5,
            ha="right", va="center",
        )  # fmt: skip
    axes.set_yticks([])
    return top + 1.1 + len(arms)


def _values(verdict: dict) -> pd.DataFrame:
    """One row per arm and seed with `value`; a control's own value is the arm's minus how far the arm exceeds it."""
    arm = visible(", ".join(verdict["arms"]))
    own = {row["seed"]: row["value"] for row in verdict["differences"]}
    rows = [{"arm": arm, "seed": seed, "value": value} for seed, value in own.items()]
    for control in verdict["controls"]:
        rows += [
            {"arm": visible(control["arm"]), "seed": row["seed"], "value": own[row["seed"]] - row["value"]}
            for row in control["differences"]
            if row["seed"] in own
        ]
    return pd.DataFrame(rows)


def _title(verdict: dict) -> str:
    return visible(f"{regime_name(verdict['regime'])}{', ' if verdict['run'] else ''}{verdict['run']}")


def _quantity(verdict: dict, scaled: bool) -> str:
    reference = f", minus {', '.join(verdict['against'])}" if verdict["against"] else ""
    unit = " / smallest effect of interest" if scaled else ""
    return f"{metric_name(verdict['metric'])}{reference}{unit}"
