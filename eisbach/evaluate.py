"""From an arm's held-out grid and its samples to the numbers of docs/metrics.md."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import soxr
import torch
from torch import Tensor, nn

from eisbach.errors import UserError
from eisbach.files import replacing
from eisbach.metrics import alignment, consistency, distance, diversity, sound, structure
from eisbach.metrics.embedders import clap, musicnn, packages, preview, yamnet

Embedders = Mapping[str, Callable[[np.ndarray], np.ndarray]]  # mono audio at 16 kHz -> [D]
MAKERS = {"musicnn": musicnn.embedder, "yamnet": yamnet.embedder}
RATE = 16000
MAIN = "musicnn"  # the embedder behind `fad`, `kad` and `alignment` without a suffix


def embedders(names: list[str], clap_folder: str = "") -> Embedders:
    """The embedders that params.yaml names; their weights are fetched where they are missing."""
    found = {name: MAKERS[name](packages.folder(name)) for name in names}
    if clap_folder:
        model = clap.Clap(clap_folder)
        found["clap"] = lambda audio: model.audio(soxr.resample(audio, RATE, clap.RATE))
    return found


def heard(codec: nn.Module, latents: Tensor) -> sound.Sound:
    """Latents [C, T] of one clip as the structure metrics hear them. Raises UserError when they are not finite."""
    with torch.no_grad():
        log_mel = codec.reconstruct(latents[None])[0]
    return sound.of_log_mel(log_mel.numpy(), codec.filters.numpy(), codec.sample_rate)


def embeddings(codec: nn.Module, latents: Tensor, listeners: Embedders) -> dict[str, np.ndarray]:
    """One vector per embedder for the latents [C, T] of one clip, by way of `preview`."""
    if not listeners:
        return {}
    with torch.no_grad():
        log_mel = codec.reconstruct(latents[None])[0]
    audio = preview.render(log_mel, codec.filters, codec.sample_rate, RATE)
    return {name: embed(audio) for name, embed in listeners.items()}


def codec_vector(clip: sound.Sound, scale: structure.Scale) -> np.ndarray:
    """[32] mean and standard deviation over time along the principal directions of real spectra."""
    path = scale.basis.path(clip.slow)
    return np.concatenate([path.mean(0), path.std(0)])


def save_vectors(path: str | Path, vectors: Mapping[str, np.ndarray]) -> None:
    from safetensors.numpy import save_file

    with replacing(path) as temporary:
        save_file({name: np.ascontiguousarray(value, np.float32) for name, value in vectors.items()}, temporary)


def load_vectors(path: str | Path, wanted: list[str]) -> dict[str, np.ndarray]:
    """Embeddings of real clips [N, D] by embedder. Raises UserError when the file or one of `wanted` is missing."""
    from safetensors.numpy import load_file

    if not Path(path).is_file():
        raise UserError(f"{path} is missing; run `dvc repro reference`")
    vectors = load_file(path)
    if lacking := [name for name in wanted if name not in vectors]:
        raise UserError(f"{path} lacks the embedder '{lacking[0]}'; run `dvc repro reference`")
    return {name: value.astype(np.float64) for name, value in vectors.items()}


def set_metrics(
    vectors: Mapping[str, np.ndarray], real: Mapping[str, np.ndarray], training: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Diversity, distance and memorisation of one arm's samples.

    `vectors`: by embedder, [P, N, D] for N samples of P prompts; `real` and `training`: held-out clips and those of
    the fine-tuning, [R, D]. All are centred on the training clips and divided by one number, their spread:
    unit by unit, units that real clips hardly move would rule everything.
    """
    metrics = {}
    for name, grouped in vectors.items():
        mean, spread = training[name].mean(0), np.sqrt(training[name].var(0).mean())
        grouped, heldout, seen = ((points - mean) / spread for points in (grouped, real[name], training[name]))
        samples = grouped.reshape(-1, grouped.shape[-1])
        within, between = diversity.within_and_between(grouped)
        density, coverage = distance.density_and_coverage(samples, heldout)
        found = {
            "vendi": diversity.vendi(diversity.cosine_kernel(samples)),
            **({"gap/vendi": diversity.vendi_gap(grouped, heldout)} if len(heldout) >= len(grouped) else {}),
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
        metrics |= {key if name == MAIN else f"{key}/{name}": value for key, value in found.items()}
    if MAIN not in vectors and "codec" in vectors:  # an arm always has the metrics without a suffix
        metrics |= {key.removesuffix("/codec"): value for key, value in metrics.items() if key.endswith("/codec")}
    return metrics


def consistency_metrics(sounds: list[list[sound.Sound]]) -> dict[str, float]:
    """Structure and detail of samples that differ in noise only, by prompt and noise."""
    slow = [[clip.slow for clip in group] for group in sounds]
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
