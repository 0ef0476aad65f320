"""Simulated numbers of seeds whose truth is planted, as arrays and as tables of outcomes."""

import math

import numpy as np
import pandas as pd

from eisbach.arms import parse

SHAPES = ("normal", "heavy-tailed", "skewed")  # of an arm; the judge reads differences of two arms
ALONE = "skewed alone"  # of x itself, as in a bound: no sign-flip test is exact there


def noise(shape: str, size: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draws of mean 0 and variance 1, of shape `size`: normal, Student's t with 3 degrees of freedom, or log-normal.

    Raises ValueError for another shape.
    """
    if shape == "normal":
        return rng.standard_normal(size)
    if shape == "heavy-tailed":
        return rng.standard_t(3, size) / np.sqrt(3)
    if shape == "skewed":
        return (np.exp(rng.standard_normal(size)) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e)
    raise ValueError(f"unknown shape '{shape}'; choose one of {', '.join(SHAPES)}")


def differences(shape: str, size: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Paired differences of two arms of this shape, or for `ALONE` skewed numbers themselves; mean 0, variance 1."""
    if shape == ALONE:
        return noise("skewed", size, rng)
    return (noise(shape, size, rng) - noise(shape, size, rng)) / np.sqrt(2)


def table(
    values: dict[tuple[str, str], np.ndarray], regime: str, run: str = "short", adapter: str = "full", first: int = 0
) -> pd.DataFrame:
    """A table of outcomes of one regime and run; `values`: (arm, metric) -> `[n]` for seeds `first` to first + n - 1.

    An arm's own adapter stands in the place of `adapter`.
    """
    parts = []
    for (text, metric), of_seeds in values.items():
        arm = parse(text)
        parts.append(
            pd.DataFrame(
                {
                    "regime": regime,
                    "arm": arm.name,
                    "lam": math.nan if arm.lam is None else arm.lam,
                    "adapter": arm.adapter or adapter,
                    "optimizer": "adamw",
                    "run": run,
                    "seed": np.arange(first, first + len(of_seeds)),
                    "metric": metric,
                    "value": of_seeds,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
