"""Effects against the spread of factors: one panel per outcome, one mark per arm, and the line through the origin."""

from collections.abc import Mapping, Sequence

import numpy as np

from predictions.doses import Line
from predictions.report import svg
from predictions.report.pictures import Picture
from predictions.report.theme import INK, arm_colours, arm_marks, metric_name


def answers(rows: Sequence, lines: Mapping[str, Line]) -> Picture:
    """`rows` are `curriculum.Row`s, `lines` those of their outcomes, in the order of the panels."""
    arms = list(dict.fromkeys(row.arm for row in rows))
    colours, marks = arm_colours(arms), arm_marks(arms)
    with svg.style():
        figure, axes = svg.figure(rows=len(lines), height=2.3 * len(lines) + 0.4, squeeze=False)
        for panel, (outcome, line) in zip(axes[:, 0], lines.items(), strict=True):
            own = [row for row in rows if row.outcome == outcome]
            reach = np.array([min(0.0, *(row.dose for row in own)), max(0.0, *(row.dose for row in own))])
            panel.plot(reach, line.slope * reach, color=INK, linewidth=0.8, linestyle="--")
            panel.axhline(0, color=INK, linewidth=0.5, alpha=0.4)
            for row in own:
                if np.isfinite(row.low):
                    panel.vlines(row.dose, row.low, row.high, color=colours[row.arm], linewidth=1.2)
                label = row.arm if panel is axes[0, 0] else None
                panel.plot(
                    row.dose, row.effect, marks[row.arm], color=colours[row.arm], markeredgecolor=INK, label=label
                )
            panel.set(ylabel=metric_name(outcome))
        axes[-1, 0].set(xlabel="spread of the factors (standard deviation / mean)")
        axes[0, 0].legend(title=None, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
        alt = "; ".join(f"{row.name}, {row.arm}: {row.effect:+.2g} at a spread of {row.dose:+.2g}" for row in rows)
        caption = (
            f"Effects against the baseline, mean and 95 % interval over n = {rows[0].seeds} seeds. Dashed: the line "
            "through the origin that fits all arms. The reversed class arm has a negative spread, except for distances."
        )
        return Picture(svg.inline(figure, "doses", alt), alt, caption)
