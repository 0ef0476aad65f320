"""LoRA and DoRA on a frozen base, for a stack: a network whose weights are the adapters.

    LoRA   W = W_0 + A B                                       A `[M, in, rank]`, B `[M, rank, out]`, B = 0 at first
    DoRA   W = magnitude * (W_0 + A B) / |W_0 + A B|           norms over the inputs, one for each output

alpha equals the rank, so that the scale is 1; biases stay the base's. The gradient runs through DoRA's norm, as in
Stable Audio 3's own dora-rows and unlike PEFT's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eisbach.seeds import torch_generator
from toy_models.networks import Network, Weights, every

KINDS = ("lora", "dora")


@dataclass(frozen=True)
class Adapted:
    """A network on frozen weights `base` `[S, ...]`, one base a seed, called with adapters `[M, ...]`."""

    inner: Network
    base: Weights
    kind: str  # of KINDS

    @property
    def channels(self) -> int:
        return self.inner.channels

    @property
    def positions(self) -> int:
        return self.inner.positions

    def __call__(self, weights: Weights, noisy: Tensor, t: Tensor, label: Tensor) -> Tensor:
        return self.inner(self.effective(weights), noisy, t, label)

    def effective(self, weights: Weights) -> Weights:
        """The adapters merged into the base, `[M, in, out]` each."""
        merged = {}
        for name, frozen in self.base.items():
            layer, part = name.split(".")
            models = len(weights[f"{layer}.down"])
            weight = every(frozen, models)
            if part == "weight":
                weight = torch.baddbmm(weight, weights[f"{layer}.down"], weights[f"{layer}.up"])
                if self.kind == "dora":
                    weight = weights[f"{layer}.magnitude"] * weight / weight.norm(dim=1, keepdim=True).clamp(min=1e-8)
            merged[name] = weight
        return merged

    def beginning(self, seeds: Sequence[int], arms: int, rank: int) -> Weights:
        """Adapters of arms x seeds models that leave the base as it is; the arms of a seed begin alike."""
        adapters = {}
        for layer, (inputs, outputs) in self.inner.sizes().items():
            normal = [
                torch.randn(inputs, rank, generator=torch_generator(seed, "toy adapter", layer)) for seed in seeds
            ]
            adapters[f"{layer}.down"] = torch.stack(normal) / inputs**0.5
            adapters[f"{layer}.up"] = torch.zeros(len(seeds), rank, outputs)
            if self.kind == "dora":
                adapters[f"{layer}.magnitude"] = self.base[f"{layer}.weight"].norm(dim=1, keepdim=True)
        return {name: every(adapter, arms * len(seeds)) for name, adapter in adapters.items()}
