"""Where a closed form holds: the largest parameter at which it still agrees with simulation, found by search."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from eisbach.seeds import numpy_generator
from predictions.weight_map import closed_forms, sampling
from predictions.weight_map.place import Place

TOLERANCE = 0.02  # of w
SPREAD_TOLERANCE = 0.25  # of the factor's coefficient of variation, relative
SHAPES = ((16, 108), (64, 108), (256, 108), (256, 1292))
SCALES = (0.5, 1.0, 2.0)
LARGEST = 1.6  # deviation of log energy at which the search ends


def largest(holds: Callable[[float], bool], upper: float, steps: int = 6) -> float:
    """The largest x in [0, upper] at which `holds`, by bisection to upper / 2^steps; 0 where it fails at once.

    Assumes that `holds` fails above the first x at which it fails.
    """
    if holds(upper):
        return upper
    low, high = 0.0, upper
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def second_order(place: Place) -> float:
    """w(0) of a place to second order, for the population: `closed_forms.clean_weight`."""
    return closed_forms.clean_weight(place.scale**2, place.variation, place.channels, place.length)


def table(seed: int, count: int) -> pd.DataFrame:
    """One row per (channels, length, scale): `mean_w` and `spread`, the largest deviations of log energy.

    `mean_w`: |w of second order - simulated mean w(0)| <= TOLERANCE. `spread`: the factor's spread by the elasticity is
    within SPREAD_TOLERANCE of the simulated one, at lambda .5. `mean_w` is 0 where the formula fails without variation.
    """
    rows = []
    for channels, length in SHAPES:
        for scale in SCALES:
            start = Place(channels, length, scale)

            def simulated(deviation: float, start: Place = start) -> tuple[Place, dict[str, float]]:
                place = replace(start, deviation=deviation)  # common random numbers for all deviations
                generator = numpy_generator(seed, "limits", start.channels, start.length, start.scale)
                return place, sampling.statistics(sampling.draw(place, 0.0, count, generator), 0.5)

            def mean_holds(deviation: float, simulated=simulated) -> bool:
                place, found = simulated(deviation)
                return abs(second_order(place) - found["w"]) <= TOLERANCE

            def spread_holds(deviation: float, simulated=simulated) -> bool:
                found = simulated(deviation)[1]
                predicted = closed_forms.factor_spread(found["w"], 0.5, found["gap_deviation"])
                return abs(predicted - found["factor_cv"]) <= SPREAD_TOLERANCE * found["factor_cv"]

            rows.append(
                {
                    "channels": channels,
                    "length": length,
                    "scale": scale,
                    "mean_w": largest(mean_holds, LARGEST),
                    "spread": largest(spread_holds, LARGEST),
                }
            )
    return pd.DataFrame(rows)


def noise_error(channels: float, length: int, seed: int, count: int) -> float:
    """The closed form of w(1) minus the simulated mean weight of unit white noise."""
    draws = sampling.draw(Place(channels, length), 1.0, count, numpy_generator(seed, "noise", channels, length))
    return closed_forms.noise_weight(channels, length) - float(np.mean(draws.weight))
