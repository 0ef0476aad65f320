"""Euler sampling of a rectified flow."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from eisbach import flow

Velocity = Callable[[Tensor, Tensor], Tensor]  # (x_t [B, C, T], t [B]) -> [B, C, T]


@torch.no_grad()
def euler(velocity: Velocity, noise: Tensor, steps: int) -> Tensor:
    """Integrate from pure noise (t = 1) to data (t = 0), [B, C, T], over `flow.schedule`'s times."""
    x = noise
    times = flow.schedule(steps, noise.shape[-1])
    for now, after in pairwise(times):
        x = x + (after - now) * velocity(x, now.expand(len(x)))
    return x
