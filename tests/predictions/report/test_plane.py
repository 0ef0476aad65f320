"""The shaded region is the law's, and every arm has its panel."""

import numpy as np
import pandas as pd
import pytest
import torch

from eisbach.seeds import torch_generator
from predictions.report.pictures import plane
from toy_models.densities import DISTRIBUTIONS


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_region_holds_its_share_of_the_laws_own_draws(name):
    law = DISTRIBUTIONS[name]()
    places, density, level = plane.region(law)
    drawn = law.sample(4000, torch_generator(1000, "region"))[0]
    inside = law.log_density(drawn, torch.zeros(len(drawn))).exp() >= level
    assert abs(inside.double().mean() - plane.MASS) < 0.02
    cell = (places[1] - places[0]) ** 2
    assert density.sum() * cell == pytest.approx(1, abs=0.01)  # the grid reaches as far as the law
    nearest = np.abs(places[:, None] - drawn[:, 0].numpy().T.reshape(1, -1)).argmin(0).reshape(2, -1)
    near = density[nearest[1], nearest[0]] > level / 10  # first coordinate along the columns
    assert near.mean() > 0.9


def test_every_arm_has_a_panel_known_ones_first():
    rows = [
        {"regime": "densities/two_moons", "arm": arm, "x": x / 10, "y": -x / 10}
        for arm in ("edm2", "oracle", "baseline", "barrier")
        for x in range(300)
    ]
    picture = plane.samples(pd.DataFrame(rows), "name")
    assert picture.alt == "120 unconditional samples of each of baseline, barrier, oracle, edm2, a panel an arm."
    assert all(f">{arm}<" in picture.svg for arm in ("baseline", "barrier", "oracle", "edm2"))
    assert "95% of the law" in picture.caption
    assert "law" not in plane.samples(pd.DataFrame(rows).assign(regime="densities/new"), "name").caption
