"""Distances between the samples of two training seeds: same arm, same prompts, different noise.

Samples differ for three reasons: noise, prompt and training seed. One seed alone cannot show the third. Every pair of
seeds gives a distance, but pairs that share a seed are not independent. Verdicts therefore use disjoint pairs as
blocks; descriptions may use all pairs, with a jackknife over seeds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from scipy import stats
from scipy.spatial.distance import cdist

from eisbach.errors import UserError
from eisbach.metrics import consistency
from eisbach.metrics.diversity import mean_distance
from eisbach.metrics.sets import suffixed
from eisbach.pipeline import paths
from eisbach.pipeline.files import replacing

FILE = "features.safetensors"  # in the folder of an evaluated seed, with its tables


@dataclass(frozen=True)
class SampleFeatures:
    """Features of the samples of one arm and seed: N samples for each of P prompts."""

    vectors: dict[str, np.ndarray]  # by embedder, standardised, [P, N, D]
    slow: list[list[np.ndarray]]  # slow spectra [M, T] in dB, by prompt and noise


def blocks(seeds: list[int]) -> list[tuple[int, int]]:
    """Disjoint pairs of neighbours in `seeds`. The last seed of an odd number has no pair.

    A seed appended to the list does not change the earlier pairs.
    """
    return list(zip(seeds[::2], seeds[1::2], strict=False))


def compare(one: SampleFeatures, other: SampleFeatures) -> dict[str, float]:
    """All between-seed metrics of one arm. Metrics of embeddings have the suffixes of `sets.suffixed`."""
    apart = {name: distances(vectors, other.vectors[name]) for name, vectors in one.vectors.items()}
    names = ("pairwise_distance/between_seeds", "pairwise_distance/between_seeds_excess")
    found = suffixed({name: dict(zip(names, pair, strict=True)) for name, pair in apart.items()})
    pairs = [(a, b) for first, second in zip(one.slow, other.slow, strict=True) for a in first for b in second]
    profiles = ([consistency.structure_profile(clip) for clip in pair] for pair in pairs)
    in_db, normalised = consistency.detail_diversity([list(pair) for pair in pairs])
    return found | {
        "structure_consistency/between_seeds": float(np.mean([consistency.agreement(pair) for pair in profiles])),
        "detail_diversity/between_seeds": in_db,
        "detail_diversity/between_seeds_normalised": normalised,
    }


def distances(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """(across, excess) for the vectors [P, N, D] of two seeds.

    `across` is the mean distance of two samples of one prompt and different seeds. `excess` subtracts the mean distance
    of two samples of one prompt and one seed: half the energy distance (Szekely and Rizzo, 2013). Its expectation is 0
    when the seeds sample the same distribution. It is NaN for N = 1.
    """
    across = float(np.mean([cdist(a, b).mean() for a, b in zip(one, other, strict=True)]))
    inside = float(np.mean([mean_distance(group) for seed in (one, other) for group in seed]))
    return across, across - inside if one.shape[1] > 1 else float("nan")


def jackknife(pairs: np.ndarray) -> tuple[float, float, float]:
    """(mean, low, high): mean over all pairs of seeds in a symmetric table [S, S], with its 95 % interval.

    The diagonal is not used. The mean is a U-statistic; its standard error comes from leaving out one seed at a time
    (Arvesen, 1969), the quantile from Student's t with S - 1 degrees of freedom. The interval is NaN for S < 3.
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


def save(path: str | Path, arms: Mapping[str, SampleFeatures]) -> None:
    """Write the features of all arms of a seed. Spectra are stored in float16, in steps of at most 1/16 dB."""
    tensors = {}
    for arm, features in arms.items():
        tensors |= {f"{arm}/vectors/{name}": np.float32(x) for name, x in features.vectors.items()}
        tensors |= {f"{arm}/slow/{prompt}": np.float16(group) for prompt, group in enumerate(features.slow)}
    with replacing(path) as temporary:
        save_file({name: np.ascontiguousarray(x) for name, x in tensors.items()}, temporary)


def load(path: str | Path, arm: str) -> SampleFeatures:
    """Read one arm from a file that `save` wrote. Raises UserError when the file or the arm is missing."""
    if not Path(path).is_file():
        raise paths.missing(path)
    try:
        with safe_open(path, "np") as file:
            names = [name for name in list(file.keys()) if name.startswith(f"{arm}/")]
            tensors = {name.removeprefix(f"{arm}/"): file.get_tensor(name).astype(np.float64) for name in names}
    except SafetensorError as error:
        raise paths.damaged(path, error) from error
    if not tensors:
        raise UserError(f"{path} lacks the arm '{arm}'; run `dvc repro evaluate`")
    vectors = {name.removeprefix("vectors/"): x for name, x in tensors.items() if name.startswith("vectors/")}
    prompts = len(tensors) - len(vectors)
    return SampleFeatures(vectors, [list(tensors[f"slow/{prompt}"]) for prompt in range(prompts)])
