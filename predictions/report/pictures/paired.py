"""One hypothesis: the values of every seed, with the controls below the arm, one group of rows per regime and run."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from eisbach.arms import parse
from predictions.judge.verdict import Verdict
from predictions.registry.schema import AnyHypothesis, Bound, Exact, Measured, subtracted
from predictions.report import svg
from predictions.report.pictures import Picture
from predictions.report.text import visible
from predictions.report.theme import INK, arm_colours, arm_marks, metric_name, regime_name

GROUPS = 12  # more do not fit on a page
SCALED = " Grey band: smallest effect of interest, which is the unit."
TOLERANCE = " Grey band: allowed for rounding."


def by_seed(registered: AnyHypothesis, verdicts: Sequence[Verdict], name: str) -> Picture | None:
    """Dots are seeds, marks are means, the bar is the interval, the band the smallest effect of interest.

    `verdicts` are those of the hypothesis. Differences are drawn in units of the smallest effect of interest, so that
    all regimes share an axis; a quantity with a bound is drawn in its own units. A control's dots are its own
    difference from the same reference. None when no verdict has values of seeds.
    """
    judged = [verdict for verdict in verdicts if verdict.sample and verdict.sample.values]
    shown = judged[:GROUPS]
    if not shown or not isinstance(registered, Measured):
        return None
    bounded = isinstance(registered, Bound | Exact)
    scaled = not bounded and all(verdict.margin and verdict.margin.value for verdict in shown)
    center = registered.bound if bounded else 0.0
    tables = [_values(registered, verdict) for verdict in shown]
    rows = sum(table["arm"].nunique() + 1.2 for table in tables)
    with svg.style():
        figure, axes = svg.figure(height=0.75 + 0.24 * rows)
        top = 0.0
        for verdict, table in zip(shown, tables, strict=True):
            bottom = _group(axes, top, verdict, table, verdict.margin.value if scaled else 1.0)
            axes.vlines(center, top + 0.9, bottom - 0.1, color=INK, linewidth=0.8)
            width = 1.0 if scaled else verdict.margin.value if isinstance(registered, Exact) else 0.0
            axes.fill_betweenx(
                [top + 0.9, bottom - 0.1], center - width, center + width, color=INK, alpha=0.07, linewidth=0
            )
            top = bottom
        axes.set(xlabel=_quantity(registered, shown, scaled), ylim=(top + 0.1, -0.1))
        axes.grid(visible=False)
        axes.locator_params(axis="x", nbins=4)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.05)
        alt = "; ".join(
            f"{_title(verdict)}: mean {np.mean(verdict.sample.values):.3g} over {len(verdict.sample.seeds)} seeds"
            for verdict in shown
        )
        band = SCALED if scaled else TOLERANCE if isinstance(registered, Exact) else ""
        left = f" {len(judged) - GROUPS} more are in the table." if len(judged) > GROUPS else ""
        caption = (
            "Dots: seeds. Marks: means. Bar: 95 % interval. Rows below an arm are controls, against the same reference."
            f"{band}{left}"
        )
        return Picture(svg.inline(figure, name, alt, left_spine=False), alt, caption)


def _group(axes, top: float, verdict: Verdict, table: pd.DataFrame, unit: float) -> float:
    """Draw one regime and run from `top` downwards. Returns where the next group begins."""
    words = f"{_title(verdict)}: {verdict.label}, n = {len(verdict.sample.seeds)}"
    axes.text(0, top + 0.5, words, transform=axes.get_yaxis_transform(), fontsize=8.5, va="center")
    arms = {arm: one["value"].to_numpy() / unit for arm, one in table.groupby("arm", sort=False)}
    base = dict(zip(table["arm"], table["base"], strict=True))
    colours, marks = arm_colours(base.values()), arm_marks(base.values())
    interval = verdict.estimate.interval if verdict.estimate else None
    for row, (arm, values) in enumerate(arms.items()):
        y, colour = top + 1.4 + row, colours[base[arm]]
        axes.plot(values, [y] * len(values), "o", color=colour, alpha=0.45, markersize=3.5, markeredgewidth=0)
        if row == 0 and interval and None not in interval:
            axes.plot([end / unit for end in interval], [y, y], color=INK, linewidth=1.4)
        axes.plot([values.mean()], [y], marks[base[arm]], color=colour, markeredgecolor=INK, markersize=6.5)
        axes.text(
            -0.01, y, arm if len(arm) < 22 else f"{arm[:20]}…", transform=axes.get_yaxis_transform(), fontsize=8.5,
            ha="right", va="center",
        )  # fmt: skip
    axes.set_yticks([])
    return top + 1.1 + len(arms)


def _values(registered: Measured, verdict: Verdict) -> pd.DataFrame:
    """One row per arm and seed: `arm`, `base` (its name without lambda and adapter), `value`.

    A control's value is the arm's minus the amount by which the arm exceeds it.
    """
    own = np.array(verdict.sample.values)
    parts = [(", ".join(map(str, registered.arms)), registered.arms[0].name, own)]
    for control in verdict.mechanism.controls if verdict.mechanism else ():
        if control.comparison is not None:
            parts.append((control.arm, parse(control.arm).name, own - np.array(control.comparison.values)))
    return pd.concat(
        [pd.DataFrame({"arm": visible(arm), "base": base, "value": values}) for arm, base, values in parts],
        ignore_index=True,
    )


def _title(verdict: Verdict) -> str:
    return visible(", ".join(filter(None, (regime_name(verdict.regime), verdict.run))))


def _quantity(registered: Measured, shown: Sequence[Verdict], scaled: bool) -> str:
    named = " or ".join(dict.fromkeys(metric_name(verdict.metric) for verdict in shown))
    against = subtracted(registered)
    reference = f", minus {', '.join(map(str, against))}" if against else ""
    return f"{named}{reference}{' / smallest effect of interest' if scaled else ''}"
