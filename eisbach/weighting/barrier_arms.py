"""Eq. 5, and the arms that change one thing about it: whose weights, which sample gets them, or their gradient.

Every formula stands once: `BarrierArm.factors` takes weights of Eq. 4 to factors, for one batch (`[B]`) or many
(`[..., B]`), and a stack of models calls it directly.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from eisbach.barrier import (
    Belief,
    barrier_factor,
    barrier_weight,
    check_lam,
    check_reduction,
    factor_of_weight,
)
from eisbach.seeds import torch_generator
from eisbach.weighting.protocol import precision
from eisbach.weighting.registry import weighting


@weighting("baseline", per_sample=True)
@dataclass(frozen=True)
class Baseline:
    """Factor 1: the unweighted loss."""

    def __call__(self, output: Tensor, target: Tensor, t: Tensor, mask: Tensor | None = None, **_) -> Tensor:
        return torch.ones_like(t, dtype=precision(output))


@dataclass(frozen=True)
class BarrierArm:
    """Eq. 5 with strength `lam` in [0, 1] on the weights of the model's output. Raises ValueError for another `lam`."""

    lam: float = 0.5

    def __post_init__(self):
        check_lam(self.lam)

    def factors(self, weight: Tensor, step: int = 0) -> Tensor:
        """Weights of Eq. 4 -> factors of Eq. 5, `[..., B]` each; a batch lies along the last axis."""
        return factor_of_weight(weight, self.lam)

    def __call__(
        self,
        output: Tensor,
        target: Tensor,
        t: Tensor,
        mask: Tensor | None = None,
        *,
        belief: Belief | None = None,
        **_,
    ) -> Tensor:
        return self.factors(_weight(output, mask, belief))


def _weight(output: Tensor, mask: Tensor | None, belief: Belief | None) -> Tensor:
    """Eq. 4 of `output`, `[B]`, from `belief` where the caller has computed it."""
    return barrier_weight(output, mask) if belief is None else belief.weight.to(precision(output))


@weighting("barrier")
@dataclass(frozen=True)
class Barrier(BarrierArm):
    """Eq. 5; `reduction` "sample" gives each sample its own weight, "batch" gives all the batch's mean weight."""

    reduction: str = "sample"

    def __post_init__(self):
        super().__post_init__()
        check_reduction(self.reduction)

    def factors(self, weight: Tensor, step: int = 0) -> Tensor:
        if self.reduction == "batch":
            weight = weight.mean(-1, keepdim=True).expand_as(weight)
        return super().factors(weight, step)


@weighting("attached", per_sample=True)
@dataclass(frozen=True)
class Attached:
    """Eq. 5 without the detach: the weight's own gradient joins the model's. `reduction` as in `Barrier`."""

    lam: float = 0.5
    reduction: str = "sample"

    def __post_init__(self):
        check_lam(self.lam)
        check_reduction(self.reduction)

    def __call__(self, output: Tensor, target: Tensor, t: Tensor, mask: Tensor | None = None, **_) -> Tensor:
        return barrier_factor(output, self.lam, mask, reduction=self.reduction, detach=False)


@weighting("shuffled", draws=True)
@dataclass(frozen=True)
class Shuffled(BarrierArm):
    """The barrier's factors, permuted uniformly within the batch; the permutation is a function of (seed, step).

    The batch keeps its factors, the samples lose theirs. A batch of one stays as it is.
    """

    seed: int = 0

    def __call__(
        self,
        output: Tensor,
        target: Tensor,
        t: Tensor,
        mask: Tensor | None = None,
        *,
        step: int,
        belief: Belief | None = None,
        **_,
    ) -> Tensor:
        return self.factors(_weight(output, mask, belief), step)

    def factors(self, weight: Tensor, step: int = 0) -> Tensor:
        order = torch.randperm(weight.shape[-1], generator=torch_generator(self.seed, "shuffled", step))
        return super().factors(weight)[..., order.to(weight.device)]


@weighting("inverse")
@dataclass(frozen=True)
class Inverse(BarrierArm):
    """The barrier's factors with their ranks reversed: the sample with the largest gets the smallest."""

    def factors(self, weight: Tensor, step: int = 0) -> Tensor:
        return reverse_ranks(super().factors(weight))


@weighting("oracle", needs_clean=True)
@dataclass(frozen=True)
class Oracle(BarrierArm):
    """Eq. 5 on the clean sample's own energies: the positive control, which reads the data."""

    def __call__(
        self, output: Tensor, target: Tensor, t: Tensor, mask: Tensor | None = None, *, clean: Tensor, **_
    ) -> Tensor:
        return self.factors(barrier_weight(clean, mask))


def reverse_ranks(factor: Tensor) -> Tensor:
    """The same values along the last axis, the smallest where the largest was; ties keep their order."""
    ranks = factor.argsort(dim=-1, stable=True).argsort(dim=-1)
    return factor.sort(dim=-1, descending=True).values.gather(-1, ranks)
