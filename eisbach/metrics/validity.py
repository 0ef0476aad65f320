"""Known-groups validity: does a metric separate groups of real clips whose structure or diversity is known?

A metric that does not is invalid and carries no verdict. The rule was fixed before any data were seen: Cliff's delta
of at least 0.33 (a "medium" effect, Romano et al., 2006), with a 95 % bootstrap interval that excludes 0, in the
direction of the claim, on every pair of groups that applies to the metric. Its definition decides which pairs apply:

- most metrics of a clip: arrangements with contrast against flat ones; real clips against themselves with their latent
  frames shuffled (content without structure; only for metrics that depend on the order of frames) and with random
  phases (nothing but the long-term spectrum);
- metrics of periods and of the number of sections: "echoes", the one alternating shape of the corpus, against the
  other shapes and against surrogates of itself. These pairs were chosen after a first run had used the pairs above
  (docs/metrics.md);
- metrics of sets: eight clips against four of them and near-copies of these, clips of different pieces against clips
  of the same piece, clips of one shape against clips of mixed shapes, real clips against themselves with random phases.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eisbach.seeds import numpy_generator

PATH = Path(__file__).with_name("validity.json")  # written by `python -m benchmarks.evaluation.validity`
LEAST_DELTA = 0.33
BOOTSTRAPS = 1000
COPY_NOISE = 0.1  # standard deviation of the noise in a near-copy; latents have unit variance
CLASSES = ("contrast_flat", "real_shuffled", "real_phase_randomised")
UNORDERED = ("contrast_flat", "real_phase_randomised")  # for metrics that do not depend on the order of frames
PERIODIC = ("echoes_others", "echoes_shuffled", "echoes_phase_randomised")
DIVERSE = ("distinct_duplicated", "pieces_repeated", "real_phase_randomised")
PROMPTS = ("own_shared", "real_phase_randomised")
FAITHFUL = ("distinct_duplicated", "real_phase_randomised")
ALIKE = ("duplicated_distinct", "shape_mixed")


@dataclass(frozen=True)
class Claim:
    """The direction that the paper claims (1 up, -1 down, 0 none) and the pairs of groups to separate."""

    direction: int
    pairs: tuple[str, ...] = CLASSES


CLIPS = {
    "block_scale_s": Claim(0),
    "dark_zone_regularity": Claim(1, PERIODIC),
    "dark_zone_period_s": Claim(0, PERIODIC),
    "novelty_peak": Claim(1),
    "segments": Claim(0, PERIODIC),
    "segment_contrast": Claim(1),
    "spectral_contrast_db": Claim(1, UNORDERED),
    "flux_sparsity_hoyer": Claim(1),
    "flux_sparsity_gini": Claim(1),
    "flux_at_transitions": Claim(1),
    "pca_area": Claim(1, UNORDERED),
    "participation_ratio": Claim(1, UNORDERED),
    "cluster_separation": Claim(1, UNORDERED),
    "dynamic_range_db": Claim(1),
    "recurrence": Claim(1),
    "variation": Claim(0),
    "section_differentiation": Claim(1),
}
OF_EMBEDDINGS = {
    "vendi": Claim(1, DIVERSE),
    "pairwise_distance": Claim(1, DIVERSE),
    "pairwise_distance/within_prompt": Claim(1, DIVERSE),
    "pairwise_distance/between_prompts": Claim(1, PROMPTS),
    "coverage": Claim(1, FAITHFUL),
    "recall": Claim(1, FAITHFUL),
    "fad": Claim(-1, FAITHFUL),
    "kad": Claim(-1, FAITHFUL),
}
SETS = {
    **{f"{metric}{suffix}": claim for suffix in ("", "/codec") for metric, claim in OF_EMBEDDINGS.items()},
    "structure_consistency": Claim(1, ALIKE),
    "structure_consistency/excess": Claim(1, ALIKE),
    "detail_diversity": Claim(1, ("distinct_duplicated",)),
    "detail_diversity/normalised": Claim(1, ("distinct_duplicated",)),
}
CLAIMS = CLIPS | SETS


def load() -> dict:
    """{metric: {"valid", "reason", "direction", "effects", "noise_floor", "counts"}}, as measured and committed."""
    return json.loads(PATH.read_text())


def cliffs_delta(high: np.ndarray, low: np.ndarray) -> float:
    """P(high > low) - P(high < low) over all pairs of values of `high` [N] and `low` [M]: -1..1."""
    return float(np.sign(np.subtract.outer(high, low)).mean())


def interval(high: np.ndarray, low: np.ndarray, *, paired: bool) -> tuple[float, float]:
    """95 % percentile bootstrap interval of Cliff's delta for `high` [N] and `low` [M], resampling both.

    `paired`: N = M, and a clip is resampled together with its surrogate.
    """
    draw, deltas = numpy_generator(0, "fitness bootstrap"), []
    for _ in range(BOOTSTRAPS):
        rows = draw.integers(len(high), size=len(high))
        others = rows if paired else draw.integers(len(low), size=len(low))
        deltas.append(cliffs_delta(high[rows], low[others]))
    return tuple(float(edge) for edge in np.percentile(deltas, [2.5, 97.5]))


def effect(high: np.ndarray, low: np.ndarray, *, paired: bool) -> dict[str, float]:
    """Cliff's delta of `high` [N] over `low` [M] and its interval: "delta", "low" and "high", to three digits."""
    edges = interval(high, low, paired=paired)
    return {"delta": round(cliffs_delta(high, low), 3), "low": round(edges[0], 3), "high": round(edges[1], 3)}


def judge(claim: Claim, effects: Mapping[str, Mapping[str, float]]) -> tuple[bool, str]:
    """(valid, reason) for a metric with `effects` by pair. The reason names the first pair that fails, or all pairs."""
    for pair in claim.pairs:
        found = effects[pair]
        if abs(found["delta"]) < LEAST_DELTA or found["low"] <= 0 <= found["high"]:
            return False, f"does not separate {pair}: delta {found['delta']:+.2f}, at least {LEAST_DELTA} wanted"
        if claim.direction * found["delta"] < 0:
            return False, f"separates {pair} in the direction opposite to the claim: delta {found['delta']:+.2f}"
    return True, f"separates {', '.join(claim.pairs)}"


def shuffled(latents: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Latents [C, T] with their frames in random order."""
    return latents[:, generator.permutation(latents.shape[1])]


def near_copy(latents: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Latents [C, T] of unit variance plus white noise of standard deviation 0.1: another take of the same music."""
    return (latents + COPY_NOISE * generator.standard_normal(latents.shape)).astype(latents.dtype)


def phase_randomised(audio: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Audio [channels, samples] with random phases of its spectrum over the whole clip: steady noise of that spectrum.

    All channels get the same phases.
    """
    spectrum = np.fft.rfft(audio)
    turn = np.exp(2j * np.pi * generator.random(spectrum.shape[1]))
    turn[[0, -1]] = 1  # the spectrum is real at both ends
    return np.fft.irfft(spectrum * turn, audio.shape[1])
