"""The error rates that the committed calibration must show; `python -m benchmarks.calibration` measures them again."""

import json
import math

import pytest

from benchmarks.calibration import cells, labels, page, plant
from benchmarks.calibration.__main__ import PAGE, RESULTS


@pytest.fixture(scope="module")
def results():
    return json.loads(RESULTS.read_text())


def test_the_page_is_rendered_from_the_results(results):
    assert PAGE.read_text() == page.render(results)


def test_false_decisions_are_rare_and_intervals_cover(results):
    """Three standard errors are allowed: among so many cells, about two lie outside two by chance."""
    assert len(results["cells"]) == len(cells.SEEDS) * len(cells.CORRELATIONS) * len(plant.SHAPES)
    for name, rates in results["cells"].items():
        assert rates["experiments"] >= 2000, name
        error = 3 * math.sqrt(0.05 * 0.95 / rates["experiments"])
        assert max(rates[f"false_{word}"] for word in ("effect", "equivalence", "either")) < 0.05 + error, name
        assert rates["covered"] == pytest.approx(0.95, abs=error), name


def test_the_detectable_effect_is_detected_in_four_of_five_experiments_at_least(results):
    """Three standard errors, and half of one for the simulation behind the effect itself."""
    for name, rates in results["power"].items():
        error = 3.5 * math.sqrt(0.8 * 0.2 / rates["experiments"])
        assert min(rates["power"], rates["power_single"]) > 0.8 - error, name


def test_planted_effects_get_the_right_pair_in_nine_of_ten_experiments(results):
    for planted in labels.PLANTED:
        for shape in plant.SHAPES:
            rates = results["labels"][f"{planted}, {shape}"]
            assert rates["experiments"] >= 500, (planted, shape)
            assert rates["right"] >= 0.9, (planted, shape)
