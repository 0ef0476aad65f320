"""LoRA and DoRA on a frozen base, for a stack: a network whose weights are the adapters.

    LoRA   W = W_0 + A B                                       A `[M, in, rank]`, B `[M, rank, out]`, B = 0 at first
    DoRA   W = magnitude * (W_0 + A B) / |W_0 + A B|           norms over the inputs, one for each output

alpha equals the rank, so the scale is 1. Biases stay those of the base. The gradient flows through DoRA's norm, as in
Stable Audio 3's own dora-rows and unlike PEFT's DoRA.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eisbach.seeds import torch_generator
from toy_models.networks import Network, Weights, repeat_for_arms

KINDS = ("lora", "dora")


@dataclass(frozen=True)
class Adapted:
    """The network `inner` on frozen weights `base` `[S, ...]`, one base per seed; called with adapters `[M, ...]`."""

    inner: Network
    base: Weights
    kind: str  # of KINDS

    @property
    def channels(self) -> int:
        return self.inner.channels

    @property
    def positions(self) -> int:
        return self.inner.positions

    def __call__(self, adapters: Weights, noisy: Tensor, t: Tensor, label: Tensor) -> Tensor:
        return self.inner(self.merged(adapters), noisy, t, label)

    def merged(self, adapters: Weights) -> Weights:
        """The inner network's weights with the adapters merged in, `[M, in, out]` and `[M, 1, out]`."""
        weights = {}
        for name, frozen in self.base.items():
            layer, part = name.split(".")
            models = len(adapters[f"{layer}.down"])
            weight = repeat_for_arms(frozen, models)
            if part == "weight":
                weight = torch.baddbmm(weight, adapters[f"{layer}.down"], adapters[f"{layer}.up"])
                if self.kind == "dora":
                    weight = adapters[f"{layer}.magnitude"] * weight / weight.norm(dim=1, keepdim=True).clamp(min=1e-8)
            weights[name] = weight
        return weights

    def init(self, seeds: Sequence[int], arms: int, rank: int) -> Weights:
        """Adapters of arms x seeds models that leave the base unchanged; all arms of a seed start from equal values."""
        adapters = {}
        for layer, (inputs, outputs) in self.inner.sizes().items():
            normal = [
                torch.randn(inputs, rank, generator=torch_generator(seed, "toy adapter", layer)) for seed in seeds
            ]
            adapters[f"{layer}.down"] = torch.stack(normal) / inputs**0.5
            adapters[f"{layer}.up"] = torch.zeros(len(seeds), rank, outputs)
            if self.kind == "dora":
                adapters[f"{layer}.magnitude"] = self.base[f"{layer}.weight"].norm(dim=1, keepdim=True)
        return {name: repeat_for_arms(adapter, arms * len(seeds)) for name, adapter in adapters.items()}
