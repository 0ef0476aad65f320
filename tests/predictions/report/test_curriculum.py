"""The table of doses, from outcomes and factors."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from eisbach.pipeline.params import Arm
from predictions.report import curriculum
from tests.settings import PARAMS

EFFECTS = {"baseline": 0.0, "barrier": -0.1, "class": -1.0, "class_reversed": 1.0, "mine": -0.3, "constant": 5.0}
SPREADS = {"baseline": 0.0, "barrier": 0.1, "class": 1.0, "class_reversed": 1.0, "mine": 0.3, "constant": 0.0}
SETTINGS = replace(
    PARAMS.finetune, arms={name: Arm("mine" if name == "mine" else name.split("_1")[0]) for name in EFFECTS}
)


def run(seeds: int = 5, noise: float = 1e-3, metric: str = "loss_slope/label"):
    """Outcomes whose effects are -1 times the dose, and factors of these spreads."""
    draw = np.random.default_rng(0)
    rows = [
        {"arm": arm, "seed": seed, "metric": metric, "value": value + noise * draw.normal()}
        for arm, value in EFFECTS.items()
        for seed in range(seeds)
    ]
    factors = [
        {"arm": arm, "seed": seed, "factor": 0.5 * (1 + sign * spread)}
        for arm, spread in SPREADS.items()
        for seed in range(seeds)
        for sign in (-1, 1)
    ]
    return pd.DataFrame(rows), pd.DataFrame(factors)


def test_arms_on_the_line_have_their_doses_no_departure_and_their_share():
    found = {row.arm: row for row in curriculum.view(*run(), SETTINGS).rows}
    assert set(found) == {"barrier", "class", "class_reversed", "mine"}
    assert found["barrier"].dose == pytest.approx(0.1)
    assert found["class_reversed"].dose == pytest.approx(-1)
    for row in found.values():
        assert row.effect == pytest.approx(-row.dose, abs=5e-3)
        assert row.departure == pytest.approx(0, abs=5e-3)
    assert found["barrier"].share.value == pytest.approx(0.1, abs=5e-3)
    assert found["barrier"].share.low < 0.1 < found["barrier"].share.high
    assert found["class_reversed"].share.value == pytest.approx(-1, abs=5e-3)


def test_a_distance_has_no_direction():
    outcomes, telemetry = run(metric="sample_distance_db/baseline")
    found = {
        row.arm: row
        for row in curriculum.view(outcomes.assign(value=outcomes["value"].abs()), telemetry, SETTINGS).rows
    }
    assert found["class_reversed"].dose == pytest.approx(1)
    assert found["class"].share.value == pytest.approx(1, abs=1e-2)


def test_the_picture_says_every_effect_and_two_runs_draw_the_same():
    one, again = (curriculum.view(*run(), SETTINGS).picture for _ in range(2))
    assert one == again
    assert "mine: -0.3 at a spread of +0.3" in one.alt


@pytest.mark.parametrize("lost", ["factor", "baseline", "metric"])
def test_without_factors_baseline_or_outcomes_there_is_no_table(lost):
    outcomes, telemetry = run()
    if lost == "factor":
        telemetry = telemetry.drop(columns="factor")
    if lost == "baseline":
        outcomes = outcomes[outcomes["arm"] != "baseline"]
    if lost == "metric":
        outcomes = outcomes.assign(metric="vendi")
    assert curriculum.view(outcomes, telemetry, SETTINGS) is None


def test_one_seed_has_effects_without_intervals():
    found = curriculum.view(*run(seeds=1), SETTINGS)
    assert all(np.isfinite(row.effect) and np.isnan(row.low) for row in found.rows)
