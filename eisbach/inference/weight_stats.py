"""The weight on held-out latents, without training: what the barrier would do to each (clip, noise, t)."""

import math
from collections.abc import Iterator

import pandas as pd
import torch
from torch import Tensor, nn

from eisbach.barrier import barrier_weight, belief, factor_of_weight, position_energy
from eisbach.data.latents import Latents
from eisbach.metrics.loss_by_t import grid
from eisbach.models.velocity import predict
from eisbach.objective import per_sample_loss
from eisbach.pipeline.threads import thread_map

COLUMNS = ("clip_id", "contrast", "contrast_class", "contrast_source")
SHARES = (1 / 4, 1 / 2, 1.0)  # of the channels and of the positions that `vary` keeps
SCALES = (0.25, 0.5, 1.0, 2.0)  # of the output


def outputs(
    model: nn.Module, data: Latents, times: list[float], seed: int, batch: int = 32
) -> Iterator[tuple[float, Latents, Tensor, Tensor]]:
    """Yield (t, clips, output [B, C, T], target [B, C, T]) over the grid of every t and every clip."""
    for t, rows, noisy, target in grid(data.latents, times, seed, batch):
        clips = data.rows(rows)
        with torch.no_grad():
            yield t, clips, predict(model, noisy, torch.full((len(rows),), t), clips), target


def measure(t: float, clips: Latents, output: Tensor, target: Tensor, lam: float) -> pd.DataFrame:
    """One row per clip: its class, `t`, `w`, `B`, `K` (nats), `factor` at `lam`, mean `energy` and `loss`."""
    mask, stats = clips.mask, belief(output, clips.mask)
    weight = stats.weight.to(output.dtype)
    return pd.DataFrame(
        {
            **{name: clips.clips[name].to_numpy() for name in COLUMNS},
            "t": t,
            "w": weight.numpy(),
            "B": stats.entropy.numpy(),
            "K": stats.divergence.numpy(),
            "factor": factor_of_weight(weight, lam).numpy(),
            "energy": ((position_energy(output) * mask).sum(1) / mask.sum(1)).numpy(),
            "loss": per_sample_loss(output, target, mask).numpy(),
        }
    )


def census(model: nn.Module, data: Latents, times: list[float], lam: float, seed: int) -> pd.DataFrame:
    """One row per (t, clip): `measure` over all of `outputs`."""

    def at(t: float) -> list[pd.DataFrame]:
        return [measure(*found, lam) for found in outputs(model, data, [t], seed)]

    return pd.concat([table for tables in thread_map(at, times) for table in tables], ignore_index=True)


def vary(t: float, clips: Latents, output: Tensor) -> pd.DataFrame:
    """One row per clip and variation of the same output: `varied`, `value` and the `w` that it gives.

    `channels` and `positions` keep the first so many of them, `scale` multiplies the output. The weight has no
    temperature, so all three move it although the music stays the same.
    """
    channels, positions = output.shape[1:]
    variations = [("channels", share * channels, output[:, : round(share * channels)]) for share in SHARES]
    variations += [("positions", share * positions, output[..., : round(share * positions)]) for share in SHARES]
    variations += [("scale", scale, scale * output) for scale in SCALES]
    facts = {name: clips.clips[name].to_numpy() for name in COLUMNS}
    weights = [barrier_weight(changed, clips.mask[:, : changed.shape[-1]]).numpy() for _, _, changed in variations]
    return pd.concat(
        [
            pd.DataFrame({**facts, "t": t, "varied": varied, "value": float(value), "w": w})
            for (varied, value, _), w in zip(variations, weights, strict=True)
        ],
        ignore_index=True,
    )


def summary(table: pd.DataFrame) -> dict[str, float]:
    """How much the weight can do: its size, its spread between samples, and the sample size that it leaves.

    The shares of w's variance: `from_t` lies between the times of the grid, `from_class` between the classes at one
    t, the rest between clips of one class at one t. A share from t near 1 makes the barrier a timestep weighting.
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
        "effective_sample_share": share_left(table["factor"]),
        "effective_sample_share_at_one_t": within.apply(share_left).mean(),
        "factor_coefficient_of_variation": table["factor"].std() / table["factor"].mean(),
        "factor_coefficient_of_variation_at_one_t": (within.std() / within.mean()).mean(),
        "share_of_w_variance_from_t": at_t.var(ddof=0) / variance if variance else math.nan,
        "share_of_w_variance_from_class": (at_class - at_t).var(ddof=0) / variance if variance else math.nan,
        "w_contrast_over_flat": by_class.get("contrast", math.nan) / by_class.get("flat", math.nan),
        "mean_w_t_below_0.2": table.loc[table["t"] < 0.2, "w"].mean(),
        "mean_w_t_above_0.8": table.loc[table["t"] > 0.8, "w"].mean(),
    }


def share_left(factors: pd.Series) -> float:
    """Kish's effective sample size of weighted samples as a share of their number: (sum m)^2 / (n sum m^2)."""
    return factors.sum() ** 2 / (len(factors) * (factors**2).sum())
