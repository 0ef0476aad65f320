"""Latents whose energy per position is flattened by a radial power, invertibly.

The vector of channels at a position keeps its direction; its length r (rms over channels) becomes r0 (r / r0)^g, r0 the
typical radius. g = 1 changes nothing, g -> 0 gives every position the energy r0^2, as softnorm's regulariser asks for.
"""

import torch
from torch import Tensor


def typical_radius(latents: Tensor, mask: Tensor) -> float:
    """The geometric mean of the rms over channels of `latents` `[N, C, T]`, at positions where `mask` `[N, T]` is true.

    Positions of radius 0 do not count. NaN when none is left.
    """
    radius = _radius(latents).squeeze(1)[mask]
    return radius[radius > 0].log().mean().exp().item()


def flatten(latents: Tensor, power: float, radius: float) -> Tensor:
    """`latents` `[N, C, T]` with radii r changed to `radius` (r / `radius`)^`power`; power 1 / g inverts power g.

    Positions of radius 0 stay 0. Raises ValueError unless power and radius are positive.
    """
    if not power > 0 or not radius > 0:
        raise ValueError(f"power and radius must be positive; got {power} and {radius}")
    relative = _radius(latents) / radius
    factor = torch.where(relative > 0, torch.where(relative > 0, relative, 1) ** (power - 1), 0)
    return (latents * factor).to(latents.dtype)


def _radius(latents: Tensor) -> Tensor:
    return latents.double().square().mean(1, keepdim=True).sqrt()
