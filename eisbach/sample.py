"""Euler sampling of a rectified flow, and the guidance that removes what lies along the prediction."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

Velocity = Callable[[Tensor, Tensor], Tensor]  # (x_t [B, C, T], t [B]) -> velocity [B, C, T]


@torch.no_grad()
def euler(velocity: Velocity, x: Tensor, times: Tensor) -> Tensor:
    """Integrate `velocity` from `x` `[B, C, T]` along `times`: `[S + 1]` for all samples or `[S + 1, B]` for each.

    With times from 1 to 0, `x` is noise and the result data.
    """
    for now, after in pairwise(times):
        x = x + (after - now).view(-1, *[1] * (x.dim() - 1)) * velocity(x, now.expand(len(x)))
    return x


def guide(
    conditional: Tensor, other: Tensor, x: Tensor, t: Tensor, scale: float, apg: float, valid: Tensor | None = None
) -> Tensor:
    """The guided velocity v_c + (scale - 1) d `[B, C, T]`, from v_c and the velocity v_u without or against a prompt.

        d = apg p + (1 - apg) (v_c - v_u)       p: the part of v_c - v_u orthogonal to the prediction x - t v_c

    `apg` 0 is classifier-free guidance; 1 is Stability's adaptive projected guidance, as in
    `stable_audio_tools.models.dit.DiffusionTransformer.forward`. The projection is over the channels and positions
    of a sample that are `valid` `[B, T]`; p is zero elsewhere. It is computed in fp64.
    """
    if apg == 0:
        return other + scale * (conditional - other)
    difference = (conditional - other).double()
    along = x.double() - t.view(-1, 1, 1) * conditional.double()
    mask = torch.ones_like(along[:, :1]) if valid is None else valid.unsqueeze(1).double()
    along = along * mask
    along = along / torch.linalg.vector_norm(along, dim=(-1, -2), keepdim=True).clamp_min(1e-8)
    orthogonal = (difference - (difference * along).sum((-1, -2), keepdim=True) * along) * mask
    return conditional + (scale - 1) * (apg * orthogonal + (1 - apg) * difference).to(conditional.dtype)
