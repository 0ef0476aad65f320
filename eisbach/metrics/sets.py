"""Sets of samples by prompt and noise, as the names and numbers of docs/metrics.md."""

from collections.abc import Mapping

import numpy as np

from eisbach.metrics import alignment, consistency, distance, diversity

MAIN = "musicnn"  # the embedder behind `fad`, `kad` and `alignment` without a suffix


def standardised(points: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Vectors [..., D] centred on the training clips' [R, D] and divided by one number, their spread.

    Unit by unit, units that real clips hardly move would rule everything.
    """
    return (points - training.mean(0)) / np.sqrt(training.var(0).mean())


def set_metrics(
    vectors: Mapping[str, np.ndarray], real: Mapping[str, np.ndarray], training: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Diversity, distance and memorisation of one arm's samples.

    `vectors`: by embedder, [P, N, D] for N samples of P prompts; `real` and `training`: held-out clips and those of
    the fine-tuning, [R, D]. All are `standardised`.
    """
    metrics = {}
    for name, raw in vectors.items():
        known = training[name]
        grouped, heldout, seen = (standardised(points, known) for points in (raw, real[name], known))
        samples = grouped.reshape(-1, grouped.shape[-1])
        within, between = diversity.within_and_between(grouped)
        density, coverage = distance.density_and_coverage(samples, heldout)
        metrics[name] = {
            "vendi": diversity.vendi(diversity.cosine_kernel(samples)),
            "gap/vendi": diversity.vendi_gap(grouped, heldout),
            "pairwise_distance": diversity.mean_distance(samples),
            "pairwise_distance/within_prompt": within,
            "pairwise_distance/between_prompts": between,
            "density": density,
            "coverage": coverage,
            "recall": distance.recall(samples, heldout),
            "fad": distance.frechet(samples, heldout),
            "kad": distance.kernel_distance(samples, heldout),
            "kad_p": distance.kernel_distance_p(samples, heldout),
            "memorisation": distance.memorisation(samples, seen, heldout),
        }
    return named(metrics)


def named(metrics: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Numbers by embedder and name, as one: the main embedder's have no suffix; without it, the codec's stand in."""
    suffixed = {f"{key}/{name}": value for name, own in metrics.items() if name != MAIN for key, value in own.items()}
    return dict(metrics.get(MAIN) or metrics.get("codec", {})) | suffixed


def consistency_metrics(slow: list[list[np.ndarray]]) -> dict[str, float]:
    """Structure and detail of samples that differ in noise only: slow spectra [M, T] by prompt and noise."""
    within, excess = consistency.structure_consistency(slow)
    in_db, normalised = consistency.detail_diversity(slow)
    return {
        "structure_consistency": within,
        "structure_consistency/excess": excess,
        "detail_diversity": in_db,
        "detail_diversity/normalised": normalised,
    }


def alignment_metrics(
    vectors: Mapping[str, np.ndarray], captions: np.ndarray, probes: Mapping[str, alignment.Probe]
) -> dict[str, float]:
    """Matched less mismatched cosine of samples [P, N, D] and their prompts' sentence embeddings [P, E]."""
    metrics = {}
    for name, probe in probes.items():
        sounds = vectors[name].reshape(-1, vectors[name].shape[-1])
        matched, mismatched = alignment.scores(probe, sounds, np.repeat(captions, vectors[name].shape[1], axis=0))
        key = "alignment" if name == MAIN else f"alignment/{name}"
        metrics |= {key: matched - mismatched, f"{key}_matched": matched}
    return metrics


def clap_alignment(vectors: np.ndarray, texts: np.ndarray) -> float:
    """Matched less mismatched cosine in CLAP's own space: sounds [P, N, D] of unit length, captions [P, D]."""
    sounds = vectors.reshape(-1, vectors.shape[-1])
    captions = np.repeat(texts, vectors.shape[1], axis=0)
    matched, mismatched = alignment.paired_scores(sounds @ captions.T, captions)
    return matched - mismatched
