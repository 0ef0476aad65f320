"""Simulated experiments: several arms with the same seeds, and a planted effect in each arm."""

import math

import numpy as np
import pandas as pd

from eisbach.arms import parse

SHAPES = ("normal", "heavy-tailed", "skewed")
UNSEEN = "contaminated"  # not used to choose the distribution behind the minimum detectable effect


def noise(shape: str, size: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draws of mean 0 and variance 1, of shape `size`: normal, Student's t with 3 degrees of freedom, log-normal, or
    contaminated (normal, one in ten with five times the deviation). Raises ValueError for another shape.
    """
    if shape == "normal":
        return rng.standard_normal(size)
    if shape == "heavy-tailed":
        return rng.standard_t(3, size) / np.sqrt(3)
    if shape == "skewed":
        return (np.exp(rng.standard_normal(size)) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e)
    if shape == UNSEEN:
        return rng.standard_normal(size) * np.where(rng.random(size) < 0.1, 5, 1) / np.sqrt(3.4)
    raise ValueError(f"unknown shape '{shape}'; choose one of {', '.join([*SHAPES, UNSEEN])}")


def arms(
    effects: list[float], n: int, correlation: float, shape: str, repeats: int, rng: np.random.Generator
) -> np.ndarray:
    """`[repeats, arms, n]` of variance 1: a part shared by a seed's arms plus an individual part, plus the effects."""
    shared = noise(shape, (repeats, 1, n), rng)
    own = noise(shape, (repeats, len(effects), n), rng)
    return np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own + np.array(effects)[:, None]


def table(
    values: dict[tuple[str, str], np.ndarray], regime: str, run: str = "short", adapter: str = "full"
) -> pd.DataFrame:
    """A table of outcomes of one regime and run; `values`: (arm, metric) -> `[n]` for seeds 0 to n - 1."""
    parts = []
    for (text, metric), of_seeds in values.items():
        arm = parse(text)
        parts.append(
            pd.DataFrame(
                {
                    "regime": regime,
                    "arm": arm.name,
                    "lam": math.nan if arm.lam is None else arm.lam,
                    "adapter": adapter,
                    "optimizer": "adamw",
                    "run": run,
                    "seed": np.arange(len(of_seeds)),
                    "metric": metric,
                    "value": of_seeds,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
