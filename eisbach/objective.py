"""The loss: masked mean square per sample, times the weighting's factor, then the mean over the batch.

With factor 1 this is step 11 of Stable Audio 3's training, `mask_loss_weight` 0. Shapes as in `eisbach.weighting`.
"""

import torch
from torch import Tensor

from eisbach.barrier import belief, check_mask
from eisbach.weighting import Weighting, traits_of


def per_sample_loss(output: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean of (output - target)^2 over channels and valid positions, `[B]`, in float32 (float64 for float64 inputs).

    A sample without valid positions has loss 0. The contents of masked positions, NaN included, change neither the loss
    nor its gradient. NaN in a valid position gives NaN. Raises ValueError where shapes disagree: broadcasting would
    hide it.
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
    label: Tensor | None = None,
    step: int = 0,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The scalar to differentiate, mean of factor * loss, and its parts.

    The parts are `[B]` and detached, for every weighting: `loss` (before the factor), `factor`, `w` (Eq. 4), `B`
    (Eq. 3), `K` (KL of the belief from uniform, in nats; it keeps the digits that B loses).

    The penalty of a weighting that has one (`edm2`) is added to each sample's weighted loss. Gradients accumulated over
    equal micro-batches, each loss divided by their number, equal the large batch's gradient if a sample's factor does
    not depend on the other samples. NaN in a valid position makes the loss NaN: refuse it before the optimiser steps.
    Raises ValueError where shapes disagree, the factor's included.
    """
    loss = per_sample_loss(output, target, mask)
    stats = belief(output, mask)
    factor = weighting(output, target, t, mask, belief=stats, clean=clean, label=label, step=step)
    if factor.shape != loss.shape:
        raise ValueError(f"the weighting must give a factor [B] = {tuple(loss.shape)}; got {tuple(factor.shape)}")
    weighted = loss * factor
    if traits_of(weighting).has_penalty:
        weighted = weighted + weighting.penalty(t)
    telemetry = {"loss": loss, "factor": factor, "w": stats.weight, "B": stats.entropy, "K": stats.divergence}
    return weighted.mean(), {name: value.detach() for name, value in telemetry.items()}
