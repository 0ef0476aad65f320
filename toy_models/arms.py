"""Arms for a stack of models: the weightings of `eisbach.weighting`, each on its own models' outputs.

An arm whose factor depends on a sample alone is called once for all seeds; one that looks at the batch, or that has a
state, is called for every seed by itself, as it would be without the stack.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eisbach.weighting import Weighting, make
from toy_models.draws import Draw

BY_SAMPLE = ("baseline", "barrier", "attached", "oracle", "min_snr", "logit_normal")
WITH_LAM = ("barrier", "attached", "shuffled", "inverse", "oracle")
FOLLOWERS = ("constant", "trace", "timestep")  # calibrated on the barrier arm of the same lambda and seed


@dataclass(frozen=True)
class Arm:
    """A weighting and its lambda; NaN where it has none. A follower's lambda is that of the barrier it follows."""

    name: str
    lam: float = math.nan

    def weighting(self, seed: int) -> Weighting:
        settings = {"lam": self.lam} if self.name in WITH_LAM else {}
        if self.name in ("shuffled", "edm2"):
            settings["seed"] = seed
        return make(self.name, **settings)


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
            if arm.name not in FOLLOWERS:
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
        factors, penalty = [], output.new_zeros(())
        for arm, mine in zip(self.arms, outputs, strict=True):
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
