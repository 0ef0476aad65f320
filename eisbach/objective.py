"""The loss: masked mean square per sample, times the weighting's factor, then the mean over the batch.

With factor 1 this is step 11 of Stable Audio 3's training, `mask_loss_weight` 0. Shapes as in `eisbach.weighting`.
"""

import math

import torch
from torch import Tensor

from eisbach.barrier import belief_gap, check_mask, weight_of_gap
from eisbach.weighting import Weighting


def per_sample_loss(output: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean of (output - target)^2 over channels and valid positions, `[B]`, in float32 (float64 for float64 inputs).

    A sample without valid positions has loss 0; what masked positions hold, NaN included, touches neither the loss
    nor its gradient. NaN in a valid position gives NaN. Raises ValueError for shapes that do not fit each other, which
    broadcasting would make something of.
    """
    if target.shape != output.shape:
        raise ValueError(f"target must have output's shape {tuple(output.shape)}; got {tuple(target.shape)}")
    check_mask(output, mask)
    precision = torch.promote_types(torch.promote_types(output.dtype, target.dtype), torch.float32)
    error = output.to(precision) - target
    axes = tuple(range(1, error.dim()))
    if mask is None:
        return error.square().mean(axes)
    valid = mask.unsqueeze(1)
    count = mask.flatten(1).sum(1) * error.shape[1]
    return torch.where(valid, error, 0).square().sum(axes) / count.clamp(min=1)


def objective(
    output: Tensor,
    target: Tensor,
    t: Tensor,
    mask: Tensor | None,
    weighting: Weighting,
    *,
    clean: Tensor | None = None,
    step: int = 0,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The scalar to differentiate, mean of factor * loss, and what it was made of.

    The telemetry, every entry `[B]` and detached, whatever the weighting: `loss` (before the factor), `factor`,
    `w` (Eq. 4), `B` (Eq. 3), `K` (KL of the belief from uniform, in nats: it keeps the digits that B loses).

    A weighting with a `penalty(t)`, `[B]`, has it added to each sample's weighted loss (`edm2`). Equal micro-batches
    whose losses are divided by their number accumulate the big batch's gradient if the factor of a sample does not
    depend on the others'. NaN in a valid position makes the loss NaN: refuse it before the optimiser moves. Raises
    ValueError for shapes that do not fit each other, also of the weighting's factor.
    """
    loss = per_sample_loss(output, target, mask)
    factor = weighting(output, target, t, mask, clean=clean, step=step)
    if factor.shape != loss.shape:
        raise ValueError(f"the weighting must give a factor [B] = {tuple(loss.shape)}; got {tuple(factor.shape)}")
    weighted = loss * factor
    if hasattr(weighting, "penalty"):
        weighted = weighted + weighting.penalty(t)
    return weighted.mean(), {"loss": loss.detach(), "factor": factor.detach(), **_belief(output.detach(), mask)}


def _belief(output: Tensor, mask: Tensor | None) -> dict[str, Tensor]:
    gap = belief_gap(output, mask)
    count = math.prod(output.shape[2:]) if mask is None else mask.flatten(1).sum(1)
    nats = torch.as_tensor(count, dtype=gap.dtype, device=gap.device).clamp(min=1).log()
    return {"w": weight_of_gap(gap), "B": 1 - gap, "K": gap * nats}
