"""Metrics of a set of samples, by the names that docs/metrics.md explains.

A set has N samples for each of P prompts; samples of one prompt differ in noise.
"""

from collections.abc import Mapping

import numpy as np

from eisbach.metrics import alignment, consistency, distance, diversity

MAIN = "musicnn"  # its metrics have no suffix


def standardised(points: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Vectors [..., D] minus the mean of the training clips' vectors [R, D], divided by their overall deviation.

    One number divides all dimensions: dividing each by its own deviation would give most weight to the dimensions in
    which real clips hardly vary.
    """
    return (points - training.mean(0)) / np.sqrt(training.var(0).mean())


def set_metrics(
    vectors: Mapping[str, np.ndarray], real: Mapping[str, np.ndarray], training: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Diversity, distance from real clips and memorisation of one arm's samples.

    By embedder: `vectors` [P, N, D] of the samples, `real` [H, D] of held-out clips, `training` [R, D] of the clips of
    the fine-tuning. They come unstandardised. Metrics are named as `suffixed` says.
    """
    metrics = {}
    for name, raw in vectors.items():
        grouped, heldout, seen = (standardised(x, training[name]) for x in (raw, real[name], training[name]))
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
    return suffixed(metrics)


def suffixed(metrics: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Metrics by embedder -> one dictionary: `fad` of the main embedder, `fad/codec` of the codec, and so on.

    Where the main embedder is missing, the codec's metrics also appear without a suffix.
    """
    others = {f"{key}/{name}": value for name, own in metrics.items() if name != MAIN for key, value in own.items()}
    return dict(metrics.get(MAIN) or metrics.get("codec", {})) | others


def consistency_metrics(slow: list[list[np.ndarray]]) -> dict[str, float]:
    """Consistency of structure and diversity of detail, from slow spectra [M, T] in dB by prompt and noise."""
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
    """Matched cosine, and matched minus mismatched, of samples [P, N, D] and their captions' embeddings [P, E].

    One probe per embedder; `vectors` has at least the same embedders.
    """
    metrics = {}
    for name, probe in probes.items():
        audio = vectors[name].reshape(-1, vectors[name].shape[-1])
        matched, mismatched = alignment.scores(probe, audio, np.repeat(captions, vectors[name].shape[1], axis=0))
        key = "alignment" if name == MAIN else f"alignment/{name}"
        metrics |= {key: matched - mismatched, f"{key}_matched": matched}
    return metrics


def clap_alignment(vectors: np.ndarray, texts: np.ndarray) -> float:
    """Matched minus mismatched cosine in CLAP's space, of samples [P, N, D] and captions [P, D] of unit length."""
    audio = vectors.reshape(-1, vectors.shape[-1])
    captions = np.repeat(texts, vectors.shape[1], axis=0)
    matched, mismatched = alignment.paired_scores(audio @ captions.T, captions)
    return matched - mismatched
