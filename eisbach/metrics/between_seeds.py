"""How far the samples of one training seed are from those of another, for the same prompts and other noise.

Diversity has three sources here: noise within a prompt, prompts, and training. The last cannot be seen from one seed.
Every two seeds have a distance, but distances that share a seed are not independent: verdicts get disjoint pairs of
seeds as their blocks, while a description may use all pairs and a jackknife over seeds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file
from scipy import stats
from scipy.spatial.distance import cdist

from eisbach.errors import UserError
from eisbach.files import replacing
from eisbach.metrics import consistency
from eisbach.metrics.diversity import mean_distance
from eisbach.metrics.sets import named

FILE = "heard.safetensors"  # beside an evaluated seed's tables


@dataclass(frozen=True)
class Heard:
    """What an arm's samples of one seed are compared by: N samples of each of P prompts."""

    vectors: dict[str, np.ndarray]  # by embedder, standardised, [P, N, D]
    slow: list[list[np.ndarray]]  # spectra [M, T] in dB by prompt and noise


def blocks(seeds: list[int]) -> list[tuple[int, int]]:
    """Disjoint pairs in the given order: a seed added at the end leaves the others as they were; an odd one waits."""
    return list(zip(seeds[::2], seeds[1::2], strict=False))


def compare(one: Heard, other: Heard) -> dict[str, float]:
    """All measures of two seeds' samples of one arm; distances of vectors as `sets` names them."""
    apart = {name: distances(vectors, other.vectors[name]) for name, vectors in one.vectors.items()}
    names = ("pairwise_distance/between_seeds", "pairwise_distance/between_seeds_excess")
    found = named({name: dict(zip(names, pair, strict=True)) for name, pair in apart.items()})
    pairs = [(a, b) for first, second in zip(one.slow, other.slow, strict=True) for a in first for b in second]
    profiles = ([consistency.structure_profile(clip) for clip in pair] for pair in pairs)
    in_db, normalised = consistency.detail_diversity([list(pair) for pair in pairs])
    return found | {
        "structure_consistency/between_seeds": float(np.mean([consistency.agreement(pair) for pair in profiles])),
        "detail_diversity/between_seeds": in_db,
        "detail_diversity/between_seeds_normalised": normalised,
    }


def distances(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """(across, excess) for vectors [P, N, D] of two seeds: mean distance across the seeds, within a prompt.

    The excess takes off the mean distance within a prompt and a seed: half the energy distance (Szekely and Rizzo,
    2013), 0 on average where training adds nothing to what noise does; NaN for one sample a prompt.
    """
    across = float(np.mean([cdist(a, b).mean() for a, b in zip(one, other, strict=True)]))
    inside = float(np.mean([mean_distance(group) for seed in (one, other) for group in seed]))
    return across, across - inside if one.shape[1] > 1 else float("nan")


def jackknife(pairs: np.ndarray) -> tuple[float, float, float]:
    """(mean, low, high) of a symmetric [S, S] table of pairs of seeds, its diagonal unused: mean over all pairs, 95 %.

    A U-statistic's standard error by leaving out one seed at a time (Arvesen, 1969), Student's t with S - 1 degrees.
    The interval is NaN for fewer than three seeds.
    """
    seeds = len(pairs)
    mean = _mean_of_pairs(pairs)
    if seeds < 3:
        return mean, float("nan"), float("nan")
    without = np.array([_mean_of_pairs(np.delete(np.delete(pairs, s, 0), s, 1)) for s in range(seeds)])
    error = np.sqrt((seeds - 1) / seeds * np.square(without - without.mean()).sum())
    reach = float(stats.t.ppf(0.975, seeds - 1) * error)
    return mean, mean - reach, mean + reach


def _mean_of_pairs(pairs: np.ndarray) -> float:
    return float(np.mean([pairs[one, other] for one, other in combinations(range(len(pairs)), 2)]))


def save(path: str | Path, arms: Mapping[str, Heard]) -> None:
    """Spectra in half precision, whose steps are at most a sixteenth of a decibel."""
    tensors = {}
    for arm, heard in arms.items():
        tensors |= {f"{arm}/vectors/{name}": np.float32(x) for name, x in heard.vectors.items()}
        tensors |= {f"{arm}/slow/{prompt}": np.float16(group) for prompt, group in enumerate(heard.slow)}
    with replacing(path) as temporary:
        save_file({name: np.ascontiguousarray(x) for name, x in tensors.items()}, temporary)


def load(path: str | Path, arm: str) -> Heard:
    """One arm's. Raises UserError when the file or the arm is missing."""
    if not Path(path).is_file():
        raise UserError(f"{path} is missing; run `dvc repro evaluate`")
    with safe_open(path, "np") as file:
        names = [name for name in list(file.keys()) if name.startswith(f"{arm}/")]
        tensors = {name.removeprefix(f"{arm}/"): file.get_tensor(name).astype(np.float64) for name in names}
    if not tensors:
        raise UserError(f"{path} lacks the arm '{arm}'; run `dvc repro evaluate`")
    vectors = {name.removeprefix("vectors/"): x for name, x in tensors.items() if name.startswith("vectors/")}
    prompts = len(tensors) - len(vectors)
    return Heard(vectors, [list(tensors[f"slow/{prompt}"]) for prompt in range(prompts)])
