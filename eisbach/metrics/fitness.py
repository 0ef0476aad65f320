"""Known-groups validity: does a structure metric separate real clips of known structure? If not, it judges nothing.

Three pairs of groups: contrast arrangements against flat ones; real clips against themselves with their moments
shuffled (structure gone, content kept); real clips against themselves with random phases (long-term spectrum kept, all
else gone). The rule was written before the data were looked at: Cliff's delta of at least 0.33 (a "medium" effect,
Romano et al., 2006) with a 95 % bootstrap interval beyond 0, in the direction of the claim, on every pair that applies.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eisbach.seeds import numpy_generator

PATH = Path(__file__).with_name("fitness.json")  # written by `python -m benchmarks.evaluation.fitness`
LEAST = 0.33
BOOTSTRAPS = 1000
PAIRS = ("contrast_flat", "real_shuffled", "real_phase_randomised")


@dataclass(frozen=True)
class Claim:
    """The direction the paper claims (1 up, 0 none stated) and whether the metric knows the order of moments at all."""

    direction: int
    ordered: bool = True


CLAIMS = {
    "block_scale_s": Claim(0),
    "dark_zone_regularity": Claim(1),
    "dark_zone_period_s": Claim(0),
    "novelty_peak": Claim(1),
    "segments": Claim(0),
    "segment_contrast": Claim(1),
    "spectral_contrast_db": Claim(1, ordered=False),
    "flux_sparsity_hoyer": Claim(1),
    "flux_sparsity_gini": Claim(1),
    "flux_at_transitions": Claim(1),
    "pca_area": Claim(1, ordered=False),
    "participation_ratio": Claim(1, ordered=False),
    "cluster_separation": Claim(1, ordered=False),
    "dynamic_range_db": Claim(1),
    "recurrence": Claim(1),
    "variation": Claim(0),
    "section_differentiation": Claim(1),
}


def load() -> dict:
    """{metric: {"fit", "reason", "effects", "noise_floor"}} as measured on the corpus and committed."""
    return json.loads(PATH.read_text())


def cliffs_delta(high: np.ndarray, low: np.ndarray) -> float:
    """P(high > low) - P(high < low) over all pairs of [N] and [M]: -1..1."""
    return float(np.sign(np.subtract.outer(high, low)).mean())


def interval(high: np.ndarray, low: np.ndarray, *, paired: bool) -> tuple[float, float]:
    """95 % percentile bootstrap of Cliff's delta over clips; `paired` draws a clip and its surrogate together."""
    draw, deltas = numpy_generator(0, "fitness bootstrap"), []
    for _ in range(BOOTSTRAPS):
        rows = draw.integers(len(high), size=len(high))
        others = rows if paired else draw.integers(len(low), size=len(low))
        deltas.append(cliffs_delta(high[rows], low[others]))
    return tuple(float(edge) for edge in np.percentile(deltas, [2.5, 97.5]))


def effect(high: np.ndarray, low: np.ndarray, *, paired: bool) -> dict[str, float]:
    edges = interval(high, low, paired=paired)
    return {"delta": round(cliffs_delta(high, low), 3), "low": round(edges[0], 3), "high": round(edges[1], 3)}


def judge(claim: Claim, effects: Mapping[str, Mapping[str, float]]) -> tuple[bool, str]:
    """Whether a metric may carry a verdict, and why: the first pair that it fails to separate, or what it separates."""
    for pair in PAIRS:
        if pair == "real_shuffled" and not claim.ordered:
            continue  # a function of the set of moments cannot see their order
        found = effects[pair]
        if abs(found["delta"]) < LEAST or found["low"] <= 0 <= found["high"]:
            return False, f"does not separate {pair}: delta {found['delta']:+.2f}, at least {LEAST} wanted"
        if claim.direction and found["delta"] < 0:
            return False, f"separates {pair} in the direction opposite to the claim: delta {found['delta']:+.2f}"
    blind = "" if claim.ordered else "; blind to order by definition, so shuffling was not asked of it"
    return True, f"separates every pair that applies{blind}"


def shuffled(latents: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """[C, T] with its moments in random order."""
    return latents[:, generator.permutation(latents.shape[1])]


def phase_randomised(audio: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """[channels, samples] with the phases of the whole clip's spectrum drawn anew: its spectrum as steady noise."""
    spectrum = np.fft.rfft(audio)
    turn = np.exp(2j * np.pi * generator.random(spectrum.shape[1]))
    turn[[0, -1]] = 1  # the ends are real
    return np.fft.irfft(spectrum * turn, audio.shape[1])
