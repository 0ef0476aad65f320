"""Where a closed form holds: the largest parameter at which it still agrees with simulation, found by search."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import pandas as pd

from eisbach.seeds import numpy_generator
from predictions.weight_map import closed_forms, sampling
from predictions.weight_map.place import Place

TOLERANCE = 0.02  # of w
SPREAD_TOLERANCE = 0.25  # of the factor's coefficient of variation, relative
SHAPES = ((16, 108), (64, 108), (256, 108), (256, 1292))
SCALES = (0.5, 1.0, 2.0)
DEVIATIONS = tuple(index / 20 for index in range(33))  # of log energy, 0 to 1.6, searched in this order


def largest(holds: Callable[[float], bool], values: Iterable[float]) -> float:
    """The last of the rising `values` before the first at which `holds` fails; NaN where the first one fails."""
    found = float("nan")
    for value in values:
        if not holds(value):
            break
        found = value
    return found


def second_order(place: Place) -> float:
    """w(0) of a place to second order, for the population: `closed_forms.clean_weight`."""
    return closed_forms.clean_weight(place.scale**2, place.variation, place.channels, place.length)


def table(seed: int, count: int) -> pd.DataFrame:
    """One row per (channels, length, scale): `mean_w` and `spread`, the largest deviations of log energy.

    `mean_w`: |w of second order - simulated mean w(0)| <= TOLERANCE. `spread`: the elasticity times the simulated
    standard deviation of log D is within SPREAD_TOLERANCE of the simulated spread of the factor at lambda .5. NaN where
    a formula fails without variation; the last of DEVIATIONS where it never fails.
    """
    rows = []
    for (channels, length), scale in product(SHAPES, SCALES):
        start = Place(channels, length, scale)
        means, spreads = (
            largest(partial(holds, start, seed, count), DEVIATIONS) for holds in (_mean_holds, _spread_holds)
        )
        rows.append({"channels": channels, "length": length, "scale": scale, "mean_w": means, "spread": spreads})
    return pd.DataFrame(rows)


def _simulated(place: Place, seed: int, count: int) -> dict[str, float]:
    """Statistics at t = 0; places that differ in deviation alone have the same random numbers."""
    generator = numpy_generator(seed, "limits", place.channels, place.length, place.scale)
    return sampling.statistics(sampling.draw(place, 0.0, count, generator), 0.5)


def _mean_holds(start: Place, seed: int, count: int, deviation: float) -> bool:
    place = replace(start, deviation=deviation)
    return abs(second_order(place) - _simulated(place, seed, count)["w"]) <= TOLERANCE


def _spread_holds(start: Place, seed: int, count: int, deviation: float) -> bool:
    found = _simulated(replace(start, deviation=deviation), seed, count)
    predicted = closed_forms.factor_spread(found["w"], 0.5, found["gap_deviation"])
    return abs(predicted - found["factor_cv"]) <= SPREAD_TOLERANCE * found["factor_cv"]


def noise_error(channels: float, length: int, seed: int, count: int) -> float:
    """The closed form of w(1) minus the simulated mean weight of unit white noise."""
    draws = sampling.draw(Place(channels, length), 1.0, count, numpy_generator(seed, "noise", channels, length))
    return closed_forms.noise_weight(channels, length) - float(np.mean(draws.weight))
