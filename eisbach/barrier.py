"""The log-barrier on belief space, Eq. 1-5 of arXiv 2606.07207, exact and with torch as its only dependency.

    Eq. 1  energy   e[b, s] = mean over channels of output[b, :, s]^2      [0, inf)
    Eq. 2  belief   p[b, :] = softmax over positions of e[b, :]            simplex
    Eq. 3  entropy  B[b]    = H(p[b, :]) / log T                           [0, 1]
    Eq. 4  weight   w[b]    = 1 / (1 - log(1 - B[b]))                      [0, 1]
    Eq. 5  factor   m[b]    = (1 - lam) + lam * w[b]                       [1 - lam, 1]

Shapes. `output` is `[B, C, *positions]` with one position axis or more: `[B, C, T]`, `[B, C, H, W]`. `mask` is
boolean, `[B, *positions]`, true where a position is valid; without one all are. T counts the valid positions of a
sample. Results are `[B]`. `torch.vmap`, `torch.func`, `torch.compile` and `torch.export` work through everything here.

Precision. `output` is float16, bfloat16, float32 or float64. All arithmetic is float64, also under autocast (float32 on
MPS, which has no float64). Energies and gaps have that dtype; weights and factors are float32, or float64 for a float64
output.

Conventions.
- No bit of the result depends on the contents of masked positions, NaN and inf included.
- A sample with no valid position or a single one has gap 1, weight 1 and gradient 0.
- An exactly flat sample has gap 0 and weight 0; a gap below the smallest normal number (2e-308; 1e-38 on MPS) counts as
  0. Eq. 4 has a cusp there; its gradient is defined as 0.
- Near the cusp the attached gradient is unbounded: dw/dy is about w^2 y / (C times the spread of the energies). It is
  the true gradient, inf where `output`'s dtype cannot represent it, never NaN; masked positions get exactly 0.
- NaN or inf in a valid position, or a y whose square overflows (1e154; 1e19 on MPS), makes that sample's weight NaN
  (with reduction "batch", every sample's). It is never replaced by a number: a training loop must refuse a loss that
  is not finite before its optimiser steps.
- A wrong shape, dtype or setting raises ValueError.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = [
    "Belief",
    "barrier_factor",
    "barrier_weight",
    "belief",
    "belief_gap",
    "factor_of_weight",
    "position_energy",
    "weight_of_gap",
]


def position_energy(output: Tensor) -> Tensor:
    """Eq. 1: the mean square over channels, `[B, C, *positions]` -> `[B, *positions]`, in float64 (float32 on MPS).

    float64, because the belief depends on differences between positions, which may be 1e-6 of the energies: energies
    rounded to float32 have already lost the digits that `belief_gap` keeps. Positions with equal channels have equal
    energies, to the last bit, at any index.
    """
    _check_output(output)
    return _sum_of_channels(output.to(widest_float(output.device)).square()) / output.shape[1]


def belief_gap(output: Tensor, mask: Tensor | None = None) -> Tensor:
    """Eq. 2 and 3 as the gap 1 - B = KL(p || uniform) / log T, `[B]` in [0, 1]; differentiable, in float64.

    The gap rather than B, because B = 1 - 1e-20 of a nearly flat output is no floating-point number. A belief in one
    position has gap 1, a uniform belief gap 0; with fewer than two valid positions the gap is 1 by convention.
    """
    _check_output(output)
    check_mask(output, mask)
    if mask is None:
        mask = torch.ones_like(output[:, 0], dtype=torch.bool)
    else:
        output = torch.where(mask.unsqueeze(1), output, 0)  # before the square, or a masked NaN enters the gradient
    energy, mask = position_energy(output).flatten(1), mask.flatten(1)
    count = mask.sum(dim=1).to(energy.dtype)
    divergence = _divergence(energy, mask, count)
    # Below two positions the divergence is 0, or NaN if the position is NaN: adding it keeps the NaN.
    gap = torch.where(count > 1, divergence / count.clamp(min=2).log(), 1 + divergence)
    return gap.clamp(max=1)


def weight_of_gap(gap: Tensor) -> Tensor:
    """Eq. 4 for a gap 1 - B of any shape in [0, 1]: w = 1 / (1 - log gap), 0 at 0, 1 at 1, rising in between.

    A subnormal gap counts as 0: it has few digits left, and its derivative 1 / gap overflows.
    """
    flat = gap < torch.finfo(gap.dtype).tiny
    return torch.where(flat, 0, 1 / (1 - torch.where(flat, 1, gap).log()))  # the inner 1 keeps 0/0 out of the gradient


def barrier_weight(output: Tensor, mask: Tensor | None = None, *, detach: bool = True) -> Tensor:
    """Eq. 4: the weight w, `[B]` in [0, 1]: near 0 for flat outputs, near 1 for concentrated ones.

    Detached, as in the paper: w only scales the gradient of the loss that it multiplies. `detach=False` adds the
    gradient of w itself, which has another direction (`predictions.proofs`, attached_gradient).
    """
    weight = weight_of_gap(belief_gap(output.detach() if detach else output, mask))
    return weight.to(torch.promote_types(output.dtype, torch.float32))


def barrier_factor(
    output: Tensor, lam: float, mask: Tensor | None = None, *, reduction: str = "sample", detach: bool = True
) -> Tensor:
    """Eq. 5: the factor on each sample's loss, (1 - lam) + lam * w, `[B]` in [1 - lam, 1].

    `lam` is a number in [0, 1]; 0 gives exactly 1. `reduction` "sample" gives each sample its own weight, "batch"
    gives all of them the weights' mean (samples without valid positions included).
    """
    check_lam(lam)
    check_reduction(reduction)
    weight = barrier_weight(output, mask, detach=detach)
    if reduction == "batch":
        weight = weight.mean().expand_as(weight)
    return factor_of_weight(weight, lam)


def factor_of_weight(weight: Tensor, lam: float) -> Tensor:
    """Eq. 5 for weights of any shape in [0, 1]: (1 - lam) + lam * w."""
    return (1 - lam) + lam * weight


class Belief(NamedTuple):
    """Eq. 3 and 4 of a batch, `[B]` each, in float64 (float32 on MPS)."""

    gap: Tensor  # 1 - B, which keeps the digits that B loses, in [0, 1]
    entropy: Tensor  # B of Eq. 3, in [0, 1]
    divergence: Tensor  # K = KL(p || uniform), nats, in [0, log T]
    weight: Tensor  # w of Eq. 4, in [0, 1]


def belief(output: Tensor, mask: Tensor | None = None) -> Belief:
    """Everything that the equations say about a batch of outputs, from one pass over them; detached."""
    gap = belief_gap(output.detach(), mask)
    count = math.prod(output.shape[2:]) if mask is None else mask.flatten(1).sum(1)
    log_count = torch.as_tensor(count, dtype=gap.dtype, device=gap.device).clamp(min=1).log()
    return Belief(gap, 1 - gap, gap * log_count, weight_of_gap(gap))


def widest_float(device: torch.device) -> torch.dtype:
    """float64, or float32 on MPS, which has no float64."""
    return torch.float32 if device.type == "mps" else torch.float64


def check_lam(lam: float) -> None:
    """Raise ValueError unless `lam` lies in [0, 1]."""
    if not 0 <= lam <= 1:
        raise ValueError(f"lam must lie in [0, 1]; got {lam}")


def check_reduction(reduction: str) -> None:
    """Raise ValueError unless `reduction` is "sample" or "batch"."""
    if reduction not in ("sample", "batch"):
        raise ValueError(f"reduction must be 'sample' or 'batch'; got {reduction!r}")


def check_mask(output: Tensor, mask: Tensor | None) -> None:
    """Raise ValueError unless `mask` is None or boolean and shaped as `output` without its channels."""
    if mask is None:
        return
    if mask.dtype != torch.bool:
        raise ValueError(f"mask must be boolean, true where a position is valid; got {mask.dtype}")
    expected = (output.shape[0], *output.shape[2:])
    if tuple(mask.shape) != expected:
        raise ValueError(f"mask must have shape [B, *positions] = {expected}; got {tuple(mask.shape)}")


def _sum_of_channels(values: Tensor) -> Tensor:
    """`[B, C, ...]` -> `[B, ...]`, adding the channels in the same order at every position.

    `Tensor.sum` adds in an order that depends on a position's lane in the vector register. The energies of a flat
    output would then differ in their last bits, and its weight would be 0.01 instead of 0.
    """
    for _ in range(int(values.shape[1] - 1).bit_length()):
        half = values.shape[1] // 2
        left_over = values[:, 2 * half :]
        values = values[:, :half] + values[:, half : 2 * half]
        if left_over.shape[1]:
            values = torch.cat([values, left_over], dim=1)
    return values.squeeze(1)


def _divergence(energy: Tensor, mask: Tensor, count: Tensor) -> Tensor:
    """K = KL(softmax(energy) || uniform) over the valid positions, `[B, S]`, `[B, S]`, `[B]` -> `[B]`.

    With l = log(T p), K = mean of phi(l) = l e^l - (e^l - 1), because e^l has mean 1: every term is non-negative and
    second order in l, so nothing cancels, and an error of the shift common to all l enters as its square.
    The maximum is subtracted from the energies first (equal energies give exactly 0), then their mean, or 30 below the
    maximum where that is higher: the exponentials cannot overflow and their mean is at least 1. Masked energies are 0,
    the least possible energy, so they do not change the maximum.
    """
    count = count.clamp(min=1).unsqueeze(1)
    below = torch.where(mask, energy - energy.amax(1, keepdim=True).detach(), 0)
    shift = (below.sum(1, keepdim=True) / count).clamp(min=-30).detach()
    centred = torch.where(mask, below - shift, 0)  # masked: expm1(0) = phi(0) = 0
    log_ratio = centred - torch.log1p(torch.expm1(centred).sum(1, keepdim=True) / count)
    return torch.where(mask, _phi(log_ratio), 0).sum(1) / count.squeeze(1)


_SERIES = [(n - 1) / math.factorial(n) for n in range(16, 1, -1)]  # to float64's last bit for |l| < 0.5


def _phi(log_ratio: Tensor) -> Tensor:
    """phi(l) = l e^l - expm1(l) >= 0; by its series, sum of (n - 1) l^n / n! from n = 2, where these terms cancel."""
    small = log_ratio.clamp(min=-0.5)  # keeps the branch that is not taken from overflowing; log T bounds l above
    series = torch.zeros_like(small)
    for coefficient in _SERIES:
        series = series * small + coefficient
    direct = log_ratio * log_ratio.exp() - torch.expm1(log_ratio)
    return torch.where(log_ratio.abs() < 0.5, series * small.square(), direct)


def _check_output(output: Tensor) -> None:
    if output.dim() < 3 or 0 in output.shape[1:]:
        raise ValueError(
            "output must be [B, C, *positions] with at least one channel and one position; "
            f"got shape {tuple(output.shape)}"
        )
    if output.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        raise ValueError(f"output must be float16, bfloat16, float32 or float64; got {output.dtype}")
