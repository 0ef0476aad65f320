"""From an arm's held-out grid and its samples to the numbers of docs/metrics.md."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from eisbach import census
from eisbach.data.latents import Latents
from eisbach.errors import UserError
from eisbach.metrics import alignment, consistency, distance, diversity, hearing, loss_by_t, structure, weights
from eisbach.metrics.embedders import clap
from eisbach.metrics.hearing import Embedders, Heard
from eisbach.params import Evaluate
from eisbach.seeds import derive, numpy_generator

MAIN = "musicnn"  # the embedder behind `fad`, `kad` and `alignment` without a suffix


@dataclass(frozen=True)
class Real:
    """What was measured and fitted on real clips, once for all arms and seeds."""

    scale: structure.Scale
    heldout: Mapping[str, np.ndarray]  # vectors by embedder, [R, D]
    training: Mapping[str, np.ndarray]
    probes: Mapping[str, alignment.Probe]


@dataclass(frozen=True)
class Samples:
    """What was heard of the N samples of each of P prompts."""

    heard: list[list[Heard]]  # by prompt and noise
    vectors: dict[str, np.ndarray]  # by embedder and for the codec, [P, N, D]
    table: pd.DataFrame  # a row per sample: prompt, noise, contrast and the measures of structure


def real(archive: Latents, vectors: Mapping[str, np.ndarray], scale: structure.Scale, embedders: list[str]) -> Real:
    """`vectors` are of all the archive's clips, in its order; probes are fitted on those of the fine-tuning."""
    split = archive.clips["split"].to_numpy()
    heldout, training = ({name: x[split == part] for name, x in vectors.items()} for part in ("heldout", "finetune"))
    captions = archive.pooled.double().numpy()[split == "finetune"]
    return Real(scale, heldout, training, {name: alignment.fit(training[name], captions) for name in embedders})


def heldout_grid(heldout: Latents, settings: Evaluate, seed: int) -> tuple[Latents, list[float], int]:
    """(clips, times, seed of the noise) on which all arms of a training seed are measured: each seed draws its own.

    Of held-out clips in order of contrast, cut into `settings.clips` stretches, one of each is drawn; of every
    stretch of t likewise. Were the draw the same for all seeds, its luck would be in every seed alike, and no
    interval over seeds would know of it.
    """
    own = derive(settings.seed, "held-out grid", seed)
    ranked = heldout.clips["contrast"].argsort(kind="stable").to_numpy()
    draw = numpy_generator(own, "clips")
    rows = [draw.choice(part) for part in np.array_split(ranked, min(settings.clips, len(ranked)))]
    return heldout.rows(torch.tensor(rows)), loss_by_t.drawn_times(settings.times_per_tenth, own), own


def heldout_metrics(
    model: nn.Module, grid: tuple[Latents, list[float], int], lam: float
) -> tuple[pd.DataFrame, dict[str, float]]:
    """The census of an arm on its seed's grid, and what follows from it. Raises UserError when it is not finite."""
    clips, times, seed = grid
    table = census.census(model, clips, times, lam, seed)
    if not np.isfinite(table[["loss", "w", "B"]].to_numpy()).all():
        raise UserError("the held-out loss is not finite: the model has diverged")
    values = weights.loss_metrics(table) | weights.weight_metrics(table)
    return table, weights.of_known_classes(values, table)


def listen(codec: nn.Module, made: Tensor, asked: Latents, listeners: Embedders, scale: structure.Scale) -> Samples:
    """`made` [P, N, C, T]: samples for the P conditions of `asked`, each as long as its prompt's clip.

    Raises UserError naming the sample that has no sound.
    """
    heard, rows = [], []
    for prompt, (group, clip) in enumerate(zip(made, asked.clips.itertuples(), strict=True)):
        heard.append([])
        for noise, latents in enumerate(hearing.cut(group, asked.mask[prompt].expand(len(group), -1))):
            try:
                heard[-1].append(hearing.hear(codec, latents, listeners))
            except UserError as error:
                raise UserError(f"prompt {prompt}, noise {noise}: {error}") from error
            label = {"prompt": prompt, "noise": noise, "contrast": clip.contrast}
            rows.append(label | hearing.measure(heard[-1][-1], scale))
    vectors = {name: np.array([[one.vectors[name] for one in group] for group in heard]) for name in listeners}
    vectors["codec"] = np.array([[hearing.codec_vector(one.sound, scale) for one in group] for group in heard])
    return Samples(heard, vectors, pd.DataFrame(rows))


def sample_metrics(samples: Samples, asked: Latents, real: Real, texts: np.ndarray | None = None) -> dict[str, float]:
    """All measures of an arm's samples; `texts` are CLAP's embeddings of the prompts, where CLAP is there."""
    values = samples.table.drop(columns=["prompt", "noise", "contrast"]).mean(skipna=False).to_dict()
    values |= set_metrics(samples.vectors, real.heldout, real.training)
    values |= consistency_metrics([[one.sound.slow for one in group] for group in samples.heard])
    values |= alignment_metrics(samples.vectors, asked.pooled.double().numpy(), real.probes)
    if texts is not None:
        values["alignment/clap"] = clap_alignment(samples.vectors["clap"], texts)
    return values


def texts(model: clap.Clap | None, asked: Latents) -> np.ndarray | None:
    return None if model is None else model.text(asked.clips["caption"].tolist())


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
