"""Samples in the plane over the law that they should be of, which is known there: one panel an arm."""

import math

import numpy as np
import pandas as pd
import torch

from predictions.report import svg
from predictions.report.pictures import Picture
from predictions.report.theme import ARMS, INK, arm_colours
from toy_models.densities import DISTRIBUTIONS
from toy_models.mixture import Mixture

EXACT = "exact"  # draws of the law itself, beside the arms
POINTS = 120  # of an arm: more cover each other and weigh on the page
MASS = 0.95  # of the law, within what is shaded
CELLS, EDGE = 121, 2.4  # of the grid on which densities are read


def samples(rows: pd.DataFrame, name: str) -> Picture | None:
    """`rows`: x and y by arm, of one regime, run and seed."""
    if rows.empty:
        return None
    found = set(rows["arm"])
    arms = [arm for arm in (*ARMS, EXACT) if arm in found] + sorted(found - {*ARMS, EXACT})
    columns = min(3, len(arms))
    lines = math.ceil(len(arms) / columns)
    law = DISTRIBUTIONS.get(rows["regime"].iloc[0].rpartition("/")[2])
    if law is not None:
        places, density, level = region(law())
    with svg.style():
        figure, panels = svg.figure(lines, columns, height=1.9 * lines + 0.3, sharex=True, sharey=True, squeeze=False)
        for axes in panels.flat[len(arms) :]:
            axes.set_visible(False)
        for axes, arm in zip(panels.flat, arms, strict=False):
            if law is not None:
                axes.contourf(places, places, density, [level, density.max() * 1.01], colors=[INK], alpha=0.15)
            mine = rows[rows["arm"] == arm].head(POINTS)
            axes.plot(mine["x"], mine["y"], ".", color=arm_colours([arm])[arm], markersize=2.5)
            axes.set_title(arm, fontsize=9.5, loc="left")
            axes.set(aspect="equal")
            axes.grid(visible=False)
        figure.supxlabel("first coordinate", fontsize=9)
        figure.supylabel("second coordinate", fontsize=9)
        count = int(rows.groupby("arm").size().clip(upper=POINTS).max())
        alt = f"{count} unconditional samples of each of {', '.join(arms)}, a panel an arm."
        shade = f" Shaded: where {MASS:.0%} of the law lies, exactly." if law is not None else ""
        return Picture(
            svg.inline(figure, name, alt),
            alt,
            f"Unconditional samples of converged runs, n = {count} an arm, one seed.{shade}",
        )


def region(law: Mixture) -> tuple[np.ndarray, np.ndarray, float]:
    """Coordinates `[CELLS]` of both axes, the density over them (row: second), and the level that `MASS` lies above."""
    places = torch.linspace(-EDGE, EDGE, CELLS, dtype=torch.float64)
    second, first = torch.meshgrid(places, places, indexing="ij")
    points = torch.stack([first, second], dim=-1).view(-1, 1, 2)
    density = law.log_density(points, torch.zeros(len(points))).exp()
    ordered = density.sort(descending=True).values
    level = ordered[torch.searchsorted(ordered.cumsum(0), MASS * ordered.sum())]
    return places.numpy(), density.view(CELLS, CELLS).numpy(), float(level)
