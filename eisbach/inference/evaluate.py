"""Metrics of one arm: its held-out losses and weights, and the samples it generated. docs/metrics.md defines them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from eisbach.data.latents import Latents
from eisbach.errors import UserError
from eisbach.inference import weight_stats
from eisbach.metrics import alignment, clip_features, loss_by_t, sets, structure, weights
from eisbach.metrics.clip_features import ClipFeatures, Embedders
from eisbach.metrics.embedders import clap
from eisbach.pipeline.params import Evaluate
from eisbach.seeds import derive, numpy_generator


@dataclass(frozen=True)
class Reference:
    """Vectors of real clips and everything fitted on them, shared by all arms and seeds."""

    scale: structure.Scale
    heldout: Mapping[str, np.ndarray]  # vectors by embedder, [R, D]
    training: Mapping[str, np.ndarray]
    probes: Mapping[str, alignment.Probe]


@dataclass(frozen=True)
class Samples:
    """Features of N samples for each of P prompts."""

    clips: list[list[ClipFeatures]]  # by prompt and noise
    vectors: dict[str, np.ndarray]  # by embedder, "codec" among them, [P, N, D]
    table: pd.DataFrame  # a row per sample: prompt, noise, contrast and the structure metrics

    @property
    def slow(self) -> list[list[np.ndarray]]:
        """Slow spectra [M, T] in dB by prompt and noise."""
        return [[clip.sound.slow for clip in group] for group in self.clips]


def reference_clips(archive: Latents) -> Latents:
    """The clips with which samples are compared: all but those of the base's training, in the archive's order."""
    return archive.rows(torch.from_numpy((archive.clips["split"] != "base").to_numpy().nonzero()[0]))


def reference(
    archive: Latents, vectors: Mapping[str, np.ndarray], scale: structure.Scale, embedders: list[str]
) -> Reference:
    """Split the vectors [R, D] of all clips of `archive`, in its order, and fit a probe per embedder.

    The probes are fitted on the fine-tuning clips. Raises UserError when the archive does not have R clips.
    """
    if wrong := [len(x) for x in vectors.values() if len(x) != len(archive)]:
        raise UserError(
            f"the reference is of {wrong[0]} clips, the archive has {len(archive)}; run `dvc repro reference`"
        )
    split = archive.clips["split"].to_numpy()
    heldout, training = ({name: x[split == part] for name, x in vectors.items()} for part in ("heldout", "finetune"))
    captions = archive.pooled.double().numpy()[split == "finetune"]
    return Reference(scale, heldout, training, {name: alignment.fit(training[name], captions) for name in embedders})


def heldout_grid(heldout: Latents, settings: Evaluate, seed: int) -> tuple[Latents, list[float], int]:
    """(clips, times, noise seed) of the grid on which all arms of training seed `seed` are measured.

    Each training seed has its own grid. The held-out clips, ordered by contrast, are cut into `settings.clips` groups,
    and one clip of each is drawn; times are drawn likewise. With one grid for all seeds, its sampling error would be
    common to them and missing in every interval over seeds.
    """
    own = derive(settings.seed, "held-out grid", seed)
    ranked = heldout.clips["contrast"].argsort(kind="stable").to_numpy()
    draw = numpy_generator(own, "clips")
    rows = [draw.choice(part) for part in np.array_split(ranked, min(settings.clips, len(ranked)))]
    return heldout.rows(torch.tensor(rows)), loss_by_t.drawn_times(settings.times_per_tenth, own), own


def heldout_metrics(
    model: nn.Module, grid: tuple[Latents, list[float], int], lam: float
) -> tuple[pd.DataFrame, dict[str, float]]:
    """(table, metrics) of weights and losses on a grid of `heldout_grid`; the table is `weight_stats.measure_grid`'s.

    Raises UserError when a value is not finite.
    """
    clips, times, seed = grid
    table = weight_stats.measure_grid(model, clips, times, lam, seed)
    if not np.isfinite(table[["loss", "w", "entropy"]].to_numpy()).all():
        raise UserError("the held-out loss is not finite: the model has diverged")
    values = weights.loss_metrics(table) | weights.weight_metrics(table)
    return table, weights.of_known_classes(values, table)


def first_not_finite(samples: Tensor) -> tuple[int, int] | None:
    """(prompt, noise) of the first of the latents `samples` [P, N, C, T] that has a value that is not finite."""
    broken = (~samples.isfinite()).flatten(2).any(2).nonzero()
    return tuple(broken[0].tolist()) if len(broken) else None


def sample_features(
    codec: nn.Module, samples: Tensor, prompts: Latents, embedders: Embedders, scale: structure.Scale
) -> Samples:
    """Features of the latents `samples` [P, N, C, T]. Row p of `prompts` gives the length of the samples of prompt p.

    Raises UserError naming prompt and noise of a sample that is empty or not finite.
    """
    clips, rows = [], []
    for prompt, (group, facts) in enumerate(zip(samples, prompts.clips.itertuples(), strict=True)):
        clips.append([])
        cut = clip_features.without_padding(group, prompts.mask[prompt].expand(len(group), -1))
        for noise, latents in enumerate(cut):
            try:
                clip = clip_features.extract(codec, latents, embedders)
            except UserError as error:
                raise UserError(f"prompt {prompt}, noise {noise}: {error}") from error
            clips[-1].append(clip)
            label = {"prompt": prompt, "noise": noise, "contrast": facts.contrast}
            rows.append(label | clip_features.measure(clip, scale))
    vectors = {name: np.array([[clip.vectors[name] for clip in group] for group in clips]) for name in embedders}
    vectors["codec"] = np.array([[clip_features.codec_vector(clip.sound, scale) for clip in group] for group in clips])
    return Samples(clips, vectors, pd.DataFrame(rows))


def sample_metrics(
    samples: Samples, prompts: Latents, real: Reference, texts: np.ndarray | None = None
) -> dict[str, float]:
    """All metrics of an arm's samples. `texts` [P, D] are CLAP's embeddings of the captions; None: without CLAP."""
    values = samples.table.drop(columns=["prompt", "noise", "contrast"]).mean(skipna=False).to_dict()
    values |= sets.set_metrics(samples.vectors, real.heldout, real.training)
    values |= sets.consistency_metrics(samples.slow)
    values |= sets.alignment_metrics(samples.vectors, prompts.pooled.double().numpy(), real.probes)
    if texts is not None:
        values["alignment/clap"] = sets.clap_alignment(samples.vectors["clap"], texts)
    return values


def texts(model: clap.Clap | None, prompts: Latents) -> np.ndarray | None:
    """CLAP's embeddings [P, D] of the prompts' captions; None without a model."""
    return None if model is None else model.text(prompts.clips["caption"].tolist())


def standardised(samples: Samples, real: Reference) -> dict[str, np.ndarray]:
    """The samples' vectors [P, N, D] by embedder, standardised as `sets.set_metrics` does."""
    return {name: sets.standardised(x, real.training[name]) for name, x in samples.vectors.items()}
