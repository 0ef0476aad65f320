"""The unweighted loss on held-out clips during training. It is reported and never used.

All arms, seeds and steps share one grid of (clip, noise, t), so that all differences are paired.
"""

from collections.abc import Iterable

import pandas as pd
import torch
from torch import Tensor, nn

from eisbach.adapters.paired import PairedAdapters
from eisbach.data.latents import Latents
from eisbach.inference.generate import prompts
from eisbach.metrics import loss_by_t
from eisbach.models.velocity import predict
from eisbach.pipeline.params import Finetune
from eisbach.seeds import derive

TIMES = loss_by_t.times(1)  # the middle of each tenth of t
NOISE = derive(0, "validation")  # other noise than that of `evaluate`


def clips(heldout: Latents, settings: Finetune) -> Latents:
    """The `settings.validation_clips` clips of the grid, evenly spaced over contrast."""
    return prompts(heldout, settings.validation_clips)


def losses(model: nn.Module, adapters: PairedAdapters, chosen: Latents, arm: str) -> Tensor:
    """The unweighted loss of `arm` at the 10 TIMES on the N `chosen` clips, [10, N] float64."""
    adapters.activate(arm)
    table = loss_by_t.clip_losses(
        lambda noisy, t, rows: predict(model, noisy, t, chosen.rows(rows)),
        chosen.latents,
        TIMES,
        NOISE,
        mask=chosen.mask,
    )
    return torch.tensor(table["loss"].to_numpy()).view(len(TIMES), len(chosen))


def table(records: Iterable[dict], chosen: Latents) -> pd.DataFrame:
    """One row per (steps done, arm, t, clip) of the records that have a validation."""
    grid = pd.MultiIndex.from_product([TIMES, chosen.clips["clip_id"]], names=["t", "clip_id"])
    frames = [
        grid.to_frame(index=False).assign(
            steps=record["step"] + 1, arm=record["arm"], loss=record["validation"].flatten().numpy()
        )
        for record in records
        if "validation" in record
    ]
    return pd.concat(frames)[["steps", "arm", "t", "clip_id", "loss"]]
