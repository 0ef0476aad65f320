"""The barrier's weight on held-out clips: size, entropy, energy and loss for each (clip, t), without any training."""

import math
from collections.abc import Iterator
from dataclasses import replace

import pandas as pd
import torch
from torch import Tensor, nn

from eisbach.barrier import barrier_weight, belief, factor_of_weight, position_energy
from eisbach.data.flatten import flatten, typical_radius
from eisbach.data.latents import Latents
from eisbach.metrics.loss_by_t import grid
from eisbach.metrics.weights import effective_sample_share
from eisbach.models.velocity import predict
from eisbach.objective import per_sample_loss
from eisbach.pipeline.threads import thread_map

CLIP_COLUMNS = ("clip_id", "contrast", "contrast_class", "contrast_source")


def outputs(
    model: nn.Module, data: Latents, times: list[float], seed: int, batch: int = 32
) -> Iterator[tuple[float, Latents, Tensor, Tensor]]:
    """Yield (t, clips, output [B, C, T], target [B, C, T]) of the grid `loss_by_t.grid`, in batches of clips."""
    for t, rows, noisy, target in grid(data.latents, times, seed, batch):
        clips = data.rows(rows)
        with torch.no_grad():
            yield t, clips, predict(model, noisy, torch.full((len(rows),), t), clips), target


def measure(t: float, clips: Latents, output: Tensor, target: Tensor, lam: float) -> pd.DataFrame:
    """One row per clip of output and target [B, C, T] at one t, with the columns of CLIP_COLUMNS and:

    `t`; `w` (Eq. 4); `entropy` (Eq. 3, 0..1); `K`, the KL divergence of the belief from uniform in nats; `factor` of
    the loss at lambda `lam`; `w0`, Eq. 4 of the clean latents; `energy`, the mean over positions; `loss`, the velocity
    loss.
    """
    mask, stats = clips.mask, belief(output, clips.mask)
    weight = stats.weight.to(output.dtype)
    return pd.DataFrame(
        {
            **{name: clips.clips[name].to_numpy() for name in CLIP_COLUMNS},
            "t": t,
            "w": weight.numpy(),
            "w0": barrier_weight(clips.latents, mask).numpy(),
            "entropy": stats.entropy.numpy(),
            "K": stats.divergence.numpy(),
            "factor": factor_of_weight(weight, lam).numpy(),
            "energy": ((position_energy(output) * mask).sum(1) / mask.sum(1)).numpy(),
            "loss": per_sample_loss(output, target, mask).numpy(),
        }
    )


def measure_grid(model: nn.Module, data: Latents, times: list[float], lam: float, seed: int) -> pd.DataFrame:
    """One row per (t, clip): `measure` of all `outputs`, with the values of t in parallel threads."""

    def at(t: float) -> list[pd.DataFrame]:
        return [measure(*batch, lam) for batch in outputs(model, data, [t], seed)]

    return pd.concat([table for tables in thread_map(at, times) for table in tables], ignore_index=True)


def measure_flattened(
    model: nn.Module, data: Latents, times: list[float], powers: list[float], lam: float, seed: int
) -> pd.DataFrame:
    """`measure_grid` of `data` flattened by each of `powers` about its typical radius, with the column `power`.

    The model was trained on power 1: at low t its output is still minus the data, at higher t nothing follows for a
    model of flattened data.
    """
    radius = typical_radius(data.latents, data.mask)
    return pd.concat(
        [
            measure_grid(model, replace(data, latents=flatten(data.latents, power, radius)), times, lam, seed).assign(
                power=power
            )
            for power in powers
        ],
        ignore_index=True,
    )


def summary(table: pd.DataFrame) -> dict[str, float]:
    """Size of the weight, its spread between samples, and the effective sample size, from a table of `measure_grid`.

    Shares of the variance of w: `from_t` is between the values of t, `from_class` between the classes at one t, and the
    rest between clips of one class at one t. With a share from t near 1 the barrier is a timestep weighting. NaN where
    a class has no clips or w is constant.
    """
    weights = table["w"]
    by_class = table.groupby("contrast_class")["w"].mean()
    at_t = table.groupby("t")["w"].transform("mean")
    at_class = table.groupby(["t", "contrast_class"])["w"].transform("mean")
    within = table.groupby("t")["factor"]
    variance = weights.var(ddof=0)
    return {
        "mean_w": weights.mean(),
        "mean_factor": table["factor"].mean(),
        "coefficient_of_variation_w": weights.std() / weights.mean(),
        "effective_sample_share": effective_sample_share(table["factor"]),
        "effective_sample_share_at_one_t": within.apply(effective_sample_share).mean(),
        "factor_coefficient_of_variation": table["factor"].std() / table["factor"].mean(),
        "factor_coefficient_of_variation_at_one_t": (within.std() / within.mean()).mean(),
        "share_of_w_variance_from_t": at_t.var(ddof=0) / variance if variance else math.nan,
        "share_of_w_variance_from_class": (at_class - at_t).var(ddof=0) / variance if variance else math.nan,
        "w_contrast_over_flat": by_class.get("contrast", math.nan) / by_class.get("flat", math.nan),
        "mean_w_t_below_0.2": table.loc[table["t"] < 0.2, "w"].mean(),
        "mean_w_t_above_0.8": table.loc[table["t"] > 0.8, "w"].mean(),
    }
