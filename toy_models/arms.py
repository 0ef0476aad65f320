"""The weightings of `eisbach.weighting` on a stack of models, each on its own models' outputs.

Weights of Eq. 4 are computed in one call for all arms that use them: the barrier is a hundred small operations, which
cost more than their arithmetic. Arms whose factor depends on a sample alone are called once for all seeds; the others,
and arms with a state, are called seed by seed, as they would be without the stack.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from eisbach.arms import Arm
from eisbach.barrier import barrier_weight
from eisbach.weighting import BarrierArm, Weighting, make, settings_of, traits
from toy_models.draws import Draw


def has_lam(name: str) -> bool:
    """Whether arms of this weighting have a lambda; one that replays the barrier has the barrier's."""
    return bool(traits(name).replays) or "lam" in settings_of(name)


def weighting_of(arm: Arm, seed: int) -> Weighting:
    """The arm's weighting for the run of a seed."""
    given = {"lam": arm.lam, "seed": seed}
    return make(arm.name, **{key: value for key, value in given.items() if key in settings_of(arm.name)})


class Stack:
    """The weightings of A arms x S seeds, called together. Arms with the trait `replays` repeat the barrier."""

    def __init__(self, arms: Sequence[Arm], seeds: Sequence[int]):
        self.arms, self.seeds = list(arms), list(seeds)
        self.weightings = {}
        for arm in arms:
            called_for = seeds[:1] if traits(arm.name).per_sample else seeds
            self.weightings[arm] = [weighting_of(arm, seed) for seed in called_for]

    def follow(self, factors: dict[float, Tensor], t: Tensor) -> None:
        """Calibrate the replaying arms: `factors` `[steps, S, B]` of the barrier at each lambda, at times `t`."""
        for arm in filter(lambda arm: arm.follows, self.arms):
            for index, weighting in enumerate(self.weightings[arm]):
                factor, times = factors[arm.lam][:, index], t[:, index]
                if traits(arm.name).replays == "step":
                    for step in range(len(factor)):
                        weighting.calibrate(factor[step], times[step], step)
                else:
                    weighting.calibrate(factor.flatten(), times.flatten(), 0)

    def parameters(self) -> list[Tensor]:
        """The trainable parameters of the arms themselves."""
        return [
            parameter
            for weightings in self.weightings.values()
            for weighting in weightings
            if isinstance(weighting, torch.nn.Module)
            for parameter in weighting.parameters()
        ]

    def factors(self, output: Tensor, draw: Draw, step: int) -> tuple[Tensor, Tensor]:
        """Outputs `[A * S, B, C, T]` -> factors `[A, S, B]`, and the sum of the penalties of arms that have one."""
        outputs = output.unflatten(0, (len(self.arms), len(self.seeds)))
        shared = self._from_weights(outputs.detach(), draw, step)
        factors, penalty = [], output.new_zeros(())
        for row, (arm, own) in enumerate(zip(self.arms, outputs, strict=True)):
            if row in shared:
                factors.append(shared[row])
                continue
            weightings = self.weightings[arm]
            parts = [slice(None)] if traits(arm.name).per_sample else [slice(i, i + 1) for i in range(len(self.seeds))]
            factor = []
            for weighting, part in zip(weightings, parts, strict=True):
                t = draw.t[part].flatten()
                inputs = (tensor[part].flatten(0, 1) for tensor in (own, draw.target))
                read = {"clean": draw.clean[part].flatten(0, 1), "label": draw.contrast[part].flatten()}
                factor.append(weighting(*inputs, t, **read, step=step))
                if traits(arm.name).has_penalty:
                    penalty = penalty + weighting.penalty(t).mean()
            factors.append(torch.cat(factor).view(draw.t.shape))
        return torch.stack(factors), penalty

    def _from_weights(self, outputs: Tensor, draw: Draw, step: int) -> dict[int, Tensor]:
        """By row, `[S, B]` of every arm that is made of Eq. 4's weights: of its own outputs, or of the clean samples.

        Rows, not arms, are the keys: equal arms may have different models.
        """
        made = {row: arm for row, arm in enumerate(self.arms) if isinstance(self.weightings[arm][0], BarrierArm)}
        of_output = [row for row, arm in made.items() if not traits(arm.name).needs_clean]
        of_clean = [row for row in made if row not in of_output]
        weights: dict[int, Tensor] = {}
        if of_output:
            stacked = barrier_weight(outputs[of_output].flatten(0, 2)).view(len(of_output), *draw.t.shape)
            weights |= zip(of_output, stacked, strict=True)
        if of_clean:
            weights |= dict.fromkeys(of_clean, barrier_weight(draw.clean.flatten(0, 1)).view(draw.t.shape))
        return {row: self._factors(arm, weights[row], step) for row, arm in made.items()}

    def _factors(self, arm: Arm, weight: Tensor, step: int) -> Tensor:
        """Weights `[S, B]` -> factors `[S, B]`; arms that draw do so for each seed."""
        weightings = self.weightings[arm]
        if not traits(arm.name).draws:
            return weightings[0].factors(weight, step)
        return torch.stack([weighting.factors(own, step) for weighting, own in zip(weightings, weight, strict=True)])
