"""Held-out velocity loss on a fixed grid of t, and the loss of linear reference predictors on the same grid.

Every model is measured on the same (clip, noise, t), so differences between models are paired. Latents are [N, C, T].
"""

from collections.abc import Callable, Iterator

import pandas as pd
import torch
from torch import Tensor

from eisbach import flow
from eisbach.objective import per_sample_loss
from eisbach.seeds import torch_generator

Velocity = Callable[[Tensor, Tensor, Tensor], Tensor]  # (x_t [B, C, T], t [B], rows [B]) -> [B, C, T]


def times(per_tenth: int) -> list[float]:
    """`per_tenth` evenly spaced values of t in every tenth of [0, 1], neither 0 nor 1 among them."""
    count = 10 * per_tenth
    return [(index + 0.5) / count for index in range(count)]


def drawn_times(per_tenth: int, seed: int) -> list[float]:
    """As `times`, but each value is drawn uniformly from its own interval of t instead of being the midpoint.

    A mean over these values is unbiased for the integral over t.
    """
    count = 10 * per_tenth
    offsets = torch.rand(count, generator=torch_generator(seed, "held-out times"), dtype=torch.float64)
    return ((torch.arange(count) + offsets) / count).tolist()


def grid(data: Tensor, ts: list[float], seed: int, batch: int) -> Iterator[tuple[float, Tensor, Tensor, Tensor]]:
    """Yield (t, rows [B], x_t [B, C, T], target [B, C, T]) for every t and every batch of clips.

    The noise of a t depends on (seed, t) only, not on `batch`.
    """
    for t in ts:
        noise = torch.randn(data.shape, generator=torch_generator(seed, "held-out noise", t))
        for rows in torch.arange(len(data)).split(batch):
            at = torch.full((len(rows),), t)
            yield t, rows, flow.interpolate(data[rows], noise[rows], at), flow.velocity(data[rows], noise[rows])


def clip_losses(
    velocity: Velocity, data: Tensor, ts: list[float], seed: int, batch: int = 32, mask: Tensor | None = None
) -> pd.DataFrame:
    """One row per (t, clip): `t`, `row` in `data`, `loss` = mean over channels and valid positions of (v - target)^2.

    `mask` [N, T] is true at valid positions; None: all are valid.
    """
    records = []
    for t, rows, noisy, target in grid(data, ts, seed, batch):
        with torch.no_grad():
            output = velocity(noisy, torch.full((len(rows),), t), rows)
        losses = per_sample_loss(output, target, None if mask is None else mask[rows])
        records += [
            {"t": t, "row": row, "loss": loss} for row, loss in zip(rows.tolist(), losses.tolist(), strict=True)
        ]
    return pd.DataFrame(records)


def reference_losses(data: Tensor, ts: list[float], seed: int, mask: Tensor | None = None) -> pd.DataFrame:
    """One row per t with the loss of three reference predictors, each fitted to the draws on which it is measured.

    `zero`: v = 0. `scalar`: v = a x_t. `linear`: v = a_c x_t + b_c, one slope and one offset per channel. Fitting
    them at each t on the measured draws favours them over a model.
    """
    records = []
    for t, _, noisy, target in grid(data, ts, seed, len(data)):
        x, v = (tensor.double().transpose(0, 1).flatten(1) for tensor in (noisy, target))  # [C, N T]
        if mask is not None:
            x, v = x[:, mask.flatten()], v[:, mask.flatten()]
        slope = (x * v).sum() / x.square().sum()
        x_centred, v_centred = x - x.mean(1, keepdim=True), v - v.mean(1, keepdim=True)
        slopes = (x_centred * v_centred).sum(1, keepdim=True) / x_centred.square().sum(1, keepdim=True)
        records.append(
            {
                "t": t,
                "zero": v.square().mean().item(),
                "scalar": (v - slope * x).square().mean().item(),
                "linear": (v_centred - slopes * x_centred).square().mean().item(),
            }
        )
    return pd.DataFrame(records)


def by_tenth(losses: pd.DataFrame) -> pd.DataFrame:
    """Means of all columns but `t` and `row` over each tenth of t, indexed by the tenth's lower end `t_from`."""
    tenth = (losses["t"] * 10).astype(int) / 10
    return losses.drop(columns=["t", "row"], errors="ignore").groupby(tenth.rename("t_from")).mean()
