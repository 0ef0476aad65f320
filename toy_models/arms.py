"""Arms for a stack of models: the weightings of `eisbach.weighting`, each on its own models' outputs.

The arms that are made of Eq. 5 share one call of the barrier over all their models: it is a hundred small operations,
which cost more than their arithmetic. An arm whose factor depends on a sample alone is called once for all seeds; one
that looks at the batch, or that has a state, is called for every seed by itself, as it would be without the stack.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eisbach.barrier import barrier_weight
from eisbach.weighting import Weighting, followers, make, reverse_ranks, settings_of
from toy_models.draws import Draw

OF_OUTPUT = ("barrier", "shuffled", "inverse")  # Eq. 5 on the model's output, then perhaps moved between samples
BY_SAMPLE = ("baseline", "attached", "min_snr", "logit_normal")


def has_lam(name: str) -> bool:
    """Whether an arm has a lambda; a follower's is that of the barrier it follows."""
    return name in followers() or "lam" in settings_of(name)


@dataclass(frozen=True)
class Arm:
    """A weighting and its lambda; NaN where it has none."""

    name: str
    lam: float = math.nan

    @property
    def follows(self) -> bool:
        """Whether it is calibrated on the barrier arm of the same lambda and seed."""
        return self.name in followers()

    def weighting(self, seed: int) -> Weighting:
        given = {"lam": self.lam, "seed": seed}
        return make(self.name, **{key: value for key, value in given.items() if key in settings_of(self.name)})


class Stack:
    """The weightings of arms x seeds, called together."""

    def __init__(self, arms: Sequence[Arm], seeds: Sequence[int]):
        self.arms, self.seeds = list(arms), list(seeds)
        self.weightings = {
            arm: [arm.weighting(seed) for seed in (seeds[:1] if arm.name in BY_SAMPLE else seeds)] for arm in arms
        }

    def follow(self, factors: dict[float, Tensor], t: Tensor) -> None:
        """Calibrate the followers: `factors` `[steps, S, B]` of the barrier at each lambda, at times `t`."""
        for arm, weightings in self.weightings.items():
            if not arm.follows:
                continue
            for index, weighting in enumerate(weightings):
                factor, times = factors[arm.lam][:, index], t[:, index]
                if arm.name == "trace":
                    for step in range(len(factor)):
                        weighting.calibrate(factor[step], times[step], step)
                else:
                    weighting.calibrate(factor.flatten(), times.flatten(), 0)

    def parameters(self) -> list[Tensor]:
        """What the arms themselves learn."""
        return [
            parameter
            for weightings in self.weightings.values()
            for weighting in weightings
            if isinstance(weighting, torch.nn.Module)
            for parameter in weighting.parameters()
        ]

    def factors(self, output: Tensor, draw: Draw, step: int) -> tuple[Tensor, Tensor]:
        """Outputs `[A * S, B, C, T]` -> factors `[A, S, B]`, and the penalty that the arms add to each loss."""
        outputs = output.unflatten(0, (len(self.arms), len(self.seeds)))
        shared = self._of_output(outputs.detach(), step) | self._of_clean(draw)
        factors, penalty = [], output.new_zeros(())
        for row, (arm, mine) in enumerate(zip(self.arms, outputs, strict=True)):
            if row in shared:
                factors.append(shared[row])
                continue
            weightings = self.weightings[arm]
            parts = [slice(None)] if arm.name in BY_SAMPLE else [slice(i, i + 1) for i in range(len(self.seeds))]
            factor = [
                weighting(
                    mine[part].flatten(0, 1),
                    draw.target[part].flatten(0, 1),
                    draw.t[part].flatten(),
                    clean=draw.clean[part].flatten(0, 1),
                    step=step,
                )
                for weighting, part in zip(weightings, parts, strict=True)
            ]
            factors.append(torch.cat(factor).view(draw.t.shape))
            for weighting, part in zip(weightings, parts, strict=True):
                if hasattr(weighting, "penalty"):
                    penalty = penalty + weighting.penalty(draw.t[part].flatten()).mean()
        return torch.stack(factors), penalty

    def _of_output(self, outputs: Tensor, step: int) -> dict[int, Tensor]:
        """By row, `[S, B]` of every arm that is Eq. 5 on its own outputs: equal arms may look at different models."""
        rows = [row for row, arm in enumerate(self.arms) if arm.name in OF_OUTPUT]
        if not rows:
            return {}
        weights = barrier_weight(outputs[rows].flatten(0, 2)).view(len(rows), *outputs.shape[1:3])
        found = {}
        for row, weight in zip(rows, weights, strict=True):
            arm = self.arms[row]
            factor = (1 - arm.lam) + arm.lam * weight
            if arm.name == "inverse":
                factor = reverse_ranks(factor)
            elif arm.name == "shuffled":
                orders = [weighting.order(factor.shape[1], step) for weighting in self.weightings[arm]]
                factor = factor.gather(1, torch.stack(orders))
            found[row] = factor
        return found

    def _of_clean(self, draw: Draw) -> dict[int, Tensor]:
        """By row, `[S, B]` of the oracles: the clean samples are the same for all of them."""
        oracles = {row: arm.lam for row, arm in enumerate(self.arms) if arm.name == "oracle"}
        if not oracles:
            return {}
        weight = barrier_weight(draw.clean.flatten(0, 1)).view(draw.t.shape)
        return {row: (1 - lam) + lam * weight for row, lam in oracles.items()}
