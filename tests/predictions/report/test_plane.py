"""The picture of samples in the plane: its shaded region and its panels."""

import numpy as np
import pandas as pd
import pytest
import torch

from eisbach.seeds import torch_generator
from predictions.report.pictures import plane
from toy_models.densities import DISTRIBUTIONS


@pytest.fixture(params=DISTRIBUTIONS)
def distribution(request):
    return DISTRIBUTIONS[request.param]()


def draw(distribution):
    """4000 draws `[4000, 1, 2]`."""
    return distribution.sample(4000, torch_generator(1000, "region"))[0]


def test_the_region_holds_its_share_of_draws(distribution):
    _, _, level = plane.region(distribution)
    drawn = draw(distribution)
    inside = distribution.log_density(drawn, torch.zeros(len(drawn))).exp() >= level
    assert abs(inside.double().mean() - plane.MASS) < 0.02


def test_the_grid_covers_the_distribution(distribution):
    grid, density, _ = plane.region(distribution)
    cell = (grid[1] - grid[0]) ** 2
    assert density.sum() * cell == pytest.approx(1, abs=0.01)


def test_columns_of_the_grid_are_the_first_coordinate(distribution):
    grid, density, level = plane.region(distribution)
    drawn = draw(distribution)[:, 0].numpy()
    first, second = (np.abs(grid[:, None] - drawn[:, axis]).argmin(0) for axis in (0, 1))
    assert (density[second, first] > level / 10).mean() > 0.9


@pytest.fixture
def rows():
    rows = [
        {"regime": "densities/two_moons", "arm": arm, "x": x / 10, "y": -x / 10}
        for arm in ("edm2", "oracle", "baseline", "barrier")
        for x in range(300)
    ]
    return pd.DataFrame(rows)


def test_every_arm_has_a_panel_and_known_arms_come_first(rows):
    picture = plane.samples(rows, "name")
    assert picture.alt == "120 unconditional samples of each of baseline, barrier, oracle, edm2, one panel per arm."
    assert all(f">{arm}<" in picture.svg for arm in ("baseline", "barrier", "oracle", "edm2"))


def test_only_a_known_distribution_is_shaded(rows):
    assert "95% of the distribution" in plane.samples(rows, "name").caption
    assert "distribution" not in plane.samples(rows.assign(regime="densities/new"), "name").caption


def test_without_samples_there_is_no_picture(rows):
    assert plane.samples(rows.head(0), "name") is None
