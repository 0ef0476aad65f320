"""The same measurement of a model's outputs over t, with the pipeline's loaders: the stage `census`, without tables."""

from pathlib import Path

import torch

from eisbach.barrier import barrier_factor, belief
from eisbach.data import latents
from eisbach.gauge import Gauge
from eisbach.inference import weight_stats
from eisbach.metrics import loss_by_t
from eisbach.metrics.weights import CLASSES
from eisbach.objective import per_sample_loss
from eisbach.pipeline import paths
from eisbach.pipeline.params import load
from eisbach.pipeline.progress import track
from eisbach.pipeline.stages import loading
from eisbach.weigh.measure import Weighed


def weigh(archive: Path | None, lam: float) -> tuple[Weighed, list[str] | None, dict[str, float]]:
    """Each held-out clip's weight, averaged over t; its contrast class; and the gauge's statistics over all (clip, t).

    The classes are None unless at least two clips are flat and two have contrast. `archive` is a file that the stage
    `encode` wrote, by default this project's; params.yaml names the model. Raises the UserErrors of the loaders.
    """
    settings = load()
    data = latents.load(archive or paths.ARCHIVE).split("heldout")
    model = loading.base(settings)
    times = loss_by_t.times(settings.census.times_per_tenth)
    gauge, at = Gauge(len(times)), []
    gauge.warned = True  # the command's last line says it
    for t in track(times, "census", len(times)):
        weights = []
        for _, clips, output, target in weight_stats.outputs(model, data, [t], settings.census.seed):
            stats, factor = belief(output, clips.mask), barrier_factor(output, lam, clips.mask)
            gauge.update(
                None,
                None,
                torch.full((len(clips),), t),
                factor,
                belief=stats,
                loss=per_sample_loss(output, target, clips.mask),
            )
            weights.append(stats.weight)
        at.append(torch.cat(weights))
    rms = data.latents[data.mask.unsqueeze(1).expand_as(data.latents)].square().mean().sqrt().item()
    positions = data.mask.sum(1).float().mean().item()
    keys = data.clips["clip_id"].tolist()
    weighed = Weighed(torch.stack(at).mean(0), keys, data.latents.shape[1], positions, rms, "float32")
    classes = [label if label in CLASSES else "" for label in data.clips["contrast_class"]]
    enough = all(classes.count(label) > 1 for label in CLASSES)
    return weighed, classes if enough else None, gauge.summary()
