"""The example of docs/training.md: a power of the barrier's weight, with the mean factor of the batch kept at 1."""

from dataclasses import dataclass

import torch

from eisbach.barrier import barrier_weight
from eisbach.weighting import weighting


@weighting("contrast_power")
@dataclass(frozen=True)
class ContrastPower:
    """w^power / mean(w^power), w from Eq. 4 of the model's output."""

    power: float = 2.0

    def __call__(self, output, target, t, mask=None, *, belief=None, **_):
        weight = barrier_weight(output.detach(), mask) if belief is None else belief.weight
        factor = weight.float() ** self.power
        return factor / factor.mean().clamp(min=torch.finfo(factor.dtype).tiny)
