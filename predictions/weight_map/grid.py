"""The map: simulated weights along each axis, the other axes at a reference place."""

from collections.abc import Iterator
from dataclasses import asdict, replace

import pandas as pd

from eisbach.seeds import numpy_generator
from predictions.weight_map import limits, sampling
from predictions.weight_map.place import Place

REFERENCE = Place(channels=256, length=108, deviation=0.4)  # Medium's channels at 10 s
SHAPES = ((64, 108), (256, 108), (256, 1292))
DEVIATIONS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8)
LAMS = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
LAM = 0.5  # of all other sweeps


def cells() -> Iterator[tuple[str, Place, float, float]]:
    """(sweep, place, t, lambda) of every cell."""
    for channels, length in SHAPES:
        for deviation in DEVIATIONS:
            yield "deviation", Place(channels, length, deviation=deviation), 0.0, LAM
    for channels in (4, 16, 64, 256, 1024):
        yield "channels", replace(REFERENCE, channels=channels), 0.0, LAM
    for length in (27, 108, 432, 1292):
        yield "length", replace(REFERENCE, length=length), 0.0, LAM
    for scale in (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0):
        for deviation in (0.0, 0.2, 0.4):
            yield "scale", replace(REFERENCE, scale=scale, deviation=deviation), 0.0, LAM
    for correlation in (0.0, 0.5, 0.9, 0.97, 0.99, 0.999):
        for deviation in (0.2, 0.4, 0.8):
            yield "correlation", replace(REFERENCE, correlation=correlation, deviation=deviation), 0.0, LAM
    for heterogeneity in (0.0, 0.25, 0.5, 0.75):
        for deviation in (0.2, 0.4):
            place = replace(REFERENCE, heterogeneity=heterogeneity, deviation=deviation)
            yield "heterogeneity", place, 0.0, LAM
    for spectrum in (0.0, 1.0, 2.3, 4.0):
        for t in (0.0, 0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0):
            yield "t", replace(REFERENCE, spectrum=spectrum), t, LAM
    for lam in LAMS:
        yield "lambda", REFERENCE, 0.0, lam


def cell(place: Place, t: float, lam: float, seed: int, count: int) -> dict[str, float]:
    """The row of one cell: the place, t, lambda and the statistics of `count` samples.

    The generator depends on the place and t, so cells that differ in lambda alone have the same samples.
    """
    generator = numpy_generator(seed, "weight map", *asdict(place).values(), t)
    found = sampling.statistics(sampling.draw(place, t, count, generator), lam)
    return asdict(place) | {"t": t, "lam": lam} | found


def table(seed: int, count: int) -> pd.DataFrame:
    """One row per cell of `cells`, with the closed form `w_second_order` where t is 0 (NaN elsewhere)."""
    rows = []
    for sweep, place, t, lam in cells():
        closed = limits.second_order(place) if t == 0 else float("nan")
        rows.append({"sweep": sweep} | cell(place, t, lam, seed, count) | {"w_second_order": closed})
    return pd.DataFrame(rows)
