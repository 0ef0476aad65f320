"""From an arm's held-out grid and its samples to the numbers of docs/metrics.md."""

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
from eisbach.metrics.clip_features import Embedders, Heard
from eisbach.metrics.embedders import clap
from eisbach.pipeline.params import Evaluate
from eisbach.seeds import derive, numpy_generator


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

    @property
    def slow(self) -> list[list[np.ndarray]]:
        """Slow spectra [M, T] in dB by prompt and noise."""
        return [[one.sound.slow for one in group] for group in self.heard]


def compared(archive: Latents) -> Latents:
    """The clips that samples are compared with, in the order of the reference's vectors: all but the base's."""
    return archive.rows(torch.from_numpy((archive.clips["split"] != "base").to_numpy().nonzero()[0]))


def real(archive: Latents, vectors: Mapping[str, np.ndarray], scale: structure.Scale, embedders: list[str]) -> Real:
    """`vectors` are of all of `archive`, in its order; probes are fitted on the clips of the fine-tuning.

    Raises UserError when they are of another number of clips.
    """
    if odd := [len(x) for x in vectors.values() if len(x) != len(archive)]:
        raise UserError(
            f"the reference is of {odd[0]} clips, the archive has {len(archive)}; run `dvc repro reference`"
        )
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
    table = weight_stats.census(model, clips, times, lam, seed)
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
        for noise, latents in enumerate(clip_features.cut(group, asked.mask[prompt].expand(len(group), -1))):
            try:
                heard[-1].append(clip_features.hear(codec, latents, listeners))
            except UserError as error:
                raise UserError(f"prompt {prompt}, noise {noise}: {error}") from error
            label = {"prompt": prompt, "noise": noise, "contrast": clip.contrast}
            rows.append(label | clip_features.measure(heard[-1][-1], scale))
    vectors = {name: np.array([[one.vectors[name] for one in group] for group in heard]) for name in listeners}
    vectors["codec"] = np.array([[clip_features.codec_vector(one.sound, scale) for one in group] for group in heard])
    return Samples(heard, vectors, pd.DataFrame(rows))


def sample_metrics(samples: Samples, asked: Latents, real: Real, texts: np.ndarray | None = None) -> dict[str, float]:
    """All measures of an arm's samples; `texts` are CLAP's embeddings of the prompts, where CLAP is there."""
    values = samples.table.drop(columns=["prompt", "noise", "contrast"]).mean(skipna=False).to_dict()
    values |= sets.set_metrics(samples.vectors, real.heldout, real.training)
    values |= sets.consistency_metrics(samples.slow)
    values |= sets.alignment_metrics(samples.vectors, asked.pooled.double().numpy(), real.probes)
    if texts is not None:
        values["alignment/clap"] = sets.clap_alignment(samples.vectors["clap"], texts)
    return values


def texts(model: clap.Clap | None, asked: Latents) -> np.ndarray | None:
    return None if model is None else model.text(asked.clips["caption"].tolist())


def standardised(samples: Samples, real: Real) -> dict[str, np.ndarray]:
    """The samples' vectors in the units in which `sets.set_metrics` measures them."""
    return {name: sets.standardised(x, real.training[name]) for name, x in samples.vectors.items()}
