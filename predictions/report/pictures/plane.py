"""Samples of the 2-D densities, one panel per arm, over the exact density."""

import math

import numpy as np
import pandas as pd
import torch

from predictions.report import svg
from predictions.report.pictures import Picture
from predictions.report.theme import ARMS, INK, arm_colours
from toy_models.densities import DISTRIBUTIONS
from toy_models.mixture import Mixture

EXACT = "exact"  # the "arm" whose samples are drawn from the distribution itself
POINTS = 120  # per arm: more would overlap and make the page slow
MASS = 0.95  # of the distribution, inside the shaded region
CELLS, EDGE = 121, 2.4  # of the grid on which the density is evaluated, from -EDGE to EDGE


def samples(rows: pd.DataFrame, name: str) -> Picture | None:
    """Scatter plots of the first `POINTS` samples of every arm; None when there are none.

    `rows` has the columns `regime`, `arm`, `x` and `y`, for one regime, run and seed.
    """
    if rows.empty:
        return None
    found = set(rows["arm"])
    arms = [arm for arm in (*ARMS, EXACT) if arm in found] + sorted(found - {*ARMS, EXACT})
    columns = min(3, len(arms))
    lines = math.ceil(len(arms) / columns)
    density_of = DISTRIBUTIONS.get(rows["regime"].iloc[0].rpartition("/")[2])
    if density_of is not None:
        grid, density, level = region(density_of())
    with svg.style():
        figure, panels = svg.figure(lines, columns, height=1.9 * lines + 0.3, sharex=True, sharey=True, squeeze=False)
        for axes in panels.flat[len(arms) :]:
            axes.set_visible(False)
        for axes, arm in zip(panels.flat, arms, strict=False):
            if density_of is not None:
                axes.contourf(grid, grid, density, [level, density.max() * 1.01], colors=[INK], alpha=0.15)
            drawn = rows[rows["arm"] == arm].head(POINTS)
            axes.plot(drawn["x"], drawn["y"], ".", color=arm_colours([arm])[arm], markersize=2.5)
            axes.set_title(arm, fontsize=9.5, loc="left")
            axes.set(aspect="equal")
            axes.grid(visible=False)
        figure.supxlabel("first coordinate", fontsize=9)
        figure.supylabel("second coordinate", fontsize=9)
        count = int(rows.groupby("arm").size().clip(upper=POINTS).max())
        alt = f"{count} unconditional samples of each of {', '.join(arms)}, one panel per arm."
        shade = f" Shaded: exact region that holds {MASS:.0%} of the distribution." if density_of is not None else ""
        return Picture(
            svg.inline(figure, name, alt),
            alt,
            f"Unconditional samples of converged runs, n = {count} per arm, one seed.{shade}",
        )


def region(distribution: Mixture) -> tuple[np.ndarray, np.ndarray, float]:
    """The smallest region that holds `MASS` of a distribution over the plane.

    Returns the grid's coordinates `[CELLS]` along each axis, the density on it `[CELLS, CELLS]` (rows: second
    coordinate), and a level: the region is where the density is at least this large.
    """
    grid = torch.linspace(-EDGE, EDGE, CELLS, dtype=torch.float64)
    second, first = torch.meshgrid(grid, grid, indexing="ij")
    points = torch.stack([first, second], dim=-1).view(-1, 1, 2)
    density = distribution.log_density(points, torch.zeros(len(points))).exp()
    ordered = density.sort(descending=True).values
    level = ordered[torch.searchsorted(ordered.cumsum(0), MASS * ordered.sum())]
    return grid.numpy(), density.view(CELLS, CELLS).numpy(), float(level)
