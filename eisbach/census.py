"""The weight on held-out latents, without training: what the barrier would do to each (clip, noise, t)."""

import math

import pandas as pd
import torch
from torch import nn

from eisbach.barrier import barrier_factor, barrier_weight, belief_gap, position_energy
from eisbach.data.latents import Latents
from eisbach.metrics.loss_by_t import grid
from eisbach.models.velocity import predict
from eisbach.objective import per_sample_loss

COLUMNS = ("clip_id", "contrast", "contrast_class", "contrast_source")


def census(model: nn.Module, data: Latents, times: list[float], lam: float, seed: int, batch: int = 32) -> pd.DataFrame:
    """One row per (t, clip): the clip's class, `w`, `B`, `K` (nats), `factor`, mean `energy` and `loss`."""
    tables = []
    for t, rows, noisy, target in grid(data.latents, times, seed, batch):
        with torch.no_grad():
            output = predict(model, noisy, torch.full((len(rows),), t), data.rows(rows))
        mask = data.mask[rows]
        gap = belief_gap(output, mask)
        facts = data.clips.iloc[rows.tolist()]
        tables.append(
            pd.DataFrame(
                {
                    **{name: facts[name].to_numpy() for name in COLUMNS},
                    "t": t,
                    "w": barrier_weight(output, mask).numpy(),
                    "B": (1 - gap).numpy(),
                    "K": (gap * mask.sum(1).double().log()).numpy(),
                    "factor": barrier_factor(output, lam, mask).numpy(),
                    "energy": ((position_energy(output) * mask).sum(1) / mask.sum(1)).numpy(),
                    "loss": per_sample_loss(output, target, mask).numpy(),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def summary(table: pd.DataFrame) -> dict[str, float]:
    """How much the weight can do: its size, its spread between samples, and the sample size that it leaves."""
    weights = table["w"]
    by_class = table.groupby("contrast_class")["w"].mean()
    return {
        "mean_w": weights.mean(),
        "coefficient_of_variation_w": weights.std() / weights.mean(),
        "effective_sample_share": weights.sum() ** 2 / (len(weights) * (weights**2).sum()),
        "factor_coefficient_of_variation": table["factor"].std() / table["factor"].mean(),
        "w_contrast_over_flat": by_class.get("contrast", math.nan) / by_class.get("flat", math.nan),
        "mean_w_t_below_0.2": table.loc[table["t"] < 0.2, "w"].mean(),
        "mean_w_t_above_0.8": table.loc[table["t"] > 0.8, "w"].mean(),
    }
