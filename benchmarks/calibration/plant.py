"""Experiments whose truth is known: seeds of several arms, paired, with a planted effect in each arm."""

import numpy as np
import pandas as pd

SHAPES = ("normal", "heavy-tailed", "skewed")
UNSEEN = "contaminated"  # by whoever chose the law behind the minimum detectable effect


def noise(shape: str, size: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draws of mean 0 and variance 1: normal, Student's t with 3 degrees of freedom, log-normal, or, contaminated,
    normal with one in ten of five times the deviation.
    """
    if shape == "normal":
        return rng.standard_normal(size)
    if shape == "heavy-tailed":
        return rng.standard_t(3, size) / np.sqrt(3)
    if shape == "skewed":
        return (np.exp(rng.standard_normal(size)) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e)
    if shape == UNSEEN:
        return rng.standard_normal(size) * np.where(rng.random(size) < 0.1, 5, 1) / np.sqrt(3.4)
    raise ValueError(f"unknown shape '{shape}'; known are {', '.join([*SHAPES, UNSEEN])}")


def arms(
    effects: list[float], n: int, correlation: float, shape: str, repeats: int, rng: np.random.Generator
) -> np.ndarray:
    """`[repeats, arms, n]`: what the arms of a seed share and what is their own, variance 1, any two correlated so."""
    shared = noise(shape, (repeats, 1, n), rng)
    own = noise(shape, (repeats, len(effects), n), rng)
    return np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own + np.array(effects)[:, None]


def table(
    values: dict[tuple[str, str], np.ndarray], regime: str, run: str = "short", adapter: str = "full"
) -> pd.DataFrame:
    """Outcomes of one regime and run; `values`: (`name@lambda`, metric) -> `[n]`, of seeds 0 to n - 1."""
    parts = []
    for (arm, metric), of_seeds in values.items():
        name, _, lam = arm.partition("@")
        parts.append(
            pd.DataFrame(
                {
                    "regime": regime,
                    "arm": name,
                    "lam": float(lam or "nan"),
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
