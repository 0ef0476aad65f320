"""Euler sampling of a rectified flow."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from eisbach import flow

Velocity = Callable[[Tensor, Tensor], Tensor]  # (x_t [B, C, T], t [B]) -> velocity [B, C, T]


@torch.no_grad()
def euler(velocity: Velocity, noise: Tensor, steps: int) -> Tensor:
    """Integrate `velocity` from `noise` `[B, C, T]`, t = 1, to data, t = 0, at the times of `flow.schedule`.

    Raises ValueError when `steps` is less than 1.
    """
    x = noise
    times = flow.schedule(steps, noise.shape[-1])
    for now, after in pairwise(times):
        x = x + (after - now) * velocity(x, now.expand(len(x)))
    return x
