"""One atom: x of every seed on every system, with its interval and margin."""

from collections.abc import Sequence

from predictions.judge.verdict import Verdict
from predictions.registry.schema import AnyAtom
from predictions.report import svg
from predictions.report.pictures import Picture
from predictions.report.theme import INK, arm_colours, metric_name

CAPTION = (
    "Dots: seeds. Diamond: mean. Thick bar: the interval that decides; thin: 95 %. "
    "Grey band: the margin on both sides of 0. The claim's side is on the right."
)


def by_seed(atom: AnyAtom, verdicts: Sequence[Verdict], titles: dict[str, str], name: str) -> Picture | None:
    """A panel per system that was measured, each with its own axis of x, the number of a seed in the claim's direction.

    `titles` are the systems'. `name` identifies the picture on its page. None where nothing was measured.
    """
    shown = [verdict for verdict in verdicts if verdict.effect]
    if not shown:
        return None
    colour = arm_colours(["barrier"])["barrier"]
    with svg.style():
        figure, panels = svg.figure(len(shown), height=0.5 + 0.75 * len(shown), squeeze=False)
        for axes, verdict in zip(panels[:, 0], shown, strict=True):
            _panel(axes, atom, verdict, colour)
            axes.set_title(f"{titles[verdict.system]}: {verdict.word}", fontsize=8.5, loc="left", pad=3)
        panels[-1, 0].set_xlabel(_unit(atom, shown[-1]))
        alt = "; ".join(
            f"{titles[verdict.system]}: {verdict.word}, mean {verdict.effect.mean:.3g}, n = {verdict.sample.n}"
            for verdict in shown
        )
        return Picture(svg.inline(figure, name, alt, left_spine=False), alt, CAPTION)


def _panel(axes, atom: AnyAtom, verdict: Verdict, colour: str) -> None:
    values = verdict.sample.values
    axes.plot(values, [0] * len(values), "o", color=colour, alpha=0.45, markersize=3.5, markeredgewidth=0)
    for ends, width in ((verdict.effect.interval_95, 1.0), (verdict.effect.interval, 2.2)):
        if None not in ends:
            axes.plot(ends, [0.45, 0.45], color=INK, linewidth=width)
    axes.plot([verdict.effect.mean], [0.45], "D", color=colour, markeredgecolor=INK, markersize=5.5)
    if verdict.margin:
        axes.axvspan(-verdict.margin, verdict.margin, color=INK, alpha=0.07, linewidth=0)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set(ylim=(-0.5, 1.0), yticks=[])
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False)
    axes.locator_params(axis="x", nbins=5)
    axes.margins(x=0.08)


def _unit(atom: AnyAtom, verdict: Verdict) -> str:
    on = atom.on[verdict.system]
    return f"x: {'log ratio of ' if on.scale == 'log' else ''}{metric_name(on.metric)}"
