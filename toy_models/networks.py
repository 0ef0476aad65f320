"""Networks for many models at once: every weight is `[M, in, out]`, every bias `[M, 1, out]`; one call runs all M.

    output = network(weights, noisy, t, label)            [M, B, C, T]

Shapes: M models = A arms x S seeds, arm by arm, seeds within an arm, so that model m reads row m modulo S of the inputs
that the arms share: `noisy` `[S, B, C, T]`, `t` and `label` `[S, B]`. B is the batch, C the channels, T the positions.
The output is the best velocity for data and noise of unit variance (`eisbach.flow.linear_predictor`) plus a correction,
which is 0 at initialisation.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot, silu

from eisbach.flow import linear_predictor
from toy_models.mixture import NULL

Weights = dict[str, Tensor]
OCTAVES = 3  # frequencies in the encoding of t
CONDITION = 2 * OCTAVES + NULL + 1  # features of t and the label


@dataclass(frozen=True)
class Mlp:
    """A residual MLP. Its inputs are all coordinates, sines and cosines of them, t and the label.

    The sines let it bend within one standard deviation, as the distributions in the plane require.
    """

    channels: int
    positions: int
    width: int
    depth: int = 2

    def sizes(self) -> dict[str, tuple[int, int]]:
        """(in, out) of every layer, in order."""
        size = self.channels * self.positions
        hidden = {f"hidden{index}": (self.width, self.width) for index in range(self.depth)}
        return {"first": (5 * size + CONDITION, self.width), **hidden, "last": (self.width, size)}

    def zero_init(self, name: str) -> bool:
        return name == "last"

    def has_bias(self, name: str) -> bool:
        return True

    def __call__(self, weights: Weights, noisy: Tensor, t: Tensor, label: Tensor) -> Tensor:
        flat = noisy.flatten(2)
        angle = math.pi * torch.cat([flat / 2, flat], dim=2)
        features = torch.cat([flat, angle.cos(), angle.sin(), condition(t, label)], dim=2)
        hidden = trunk(weights, features, self.depth)
        return corrected(noisy, t, layer(weights, "last", hidden).unflatten(2, noisy.shape[2:]))


@dataclass(frozen=True)
class Mixer:
    """Mixes positions by a matrix `[T, T]` that an MLP computes from the energies, t and the label.

    The exact velocity of zero-mean components with independent channels has this form: x_t times a matrix that depends
    on x_t through quadratic forms only. The MLP sees those of each position and of neighbouring positions.
    """

    channels: int
    positions: int
    width: int
    depth: int = 2

    def sizes(self) -> dict[str, tuple[int, int]]:
        """(in, out) of every layer, in order."""
        forms = 2 * self.positions - 1
        hidden = {f"hidden{index}": (self.width, self.width) for index in range(self.depth)}
        return {"first": (forms + CONDITION, self.width), **hidden, "last": (self.width, self.positions**2)}

    def zero_init(self, name: str) -> bool:
        return name == "last"

    def has_bias(self, name: str) -> bool:
        return True

    def __call__(self, weights: Weights, noisy: Tensor, t: Tensor, label: Tensor) -> Tensor:
        models = len(weights["first.weight"])
        forms = torch.cat([noisy.square().mean(2), (noisy[..., 1:] * noisy[..., :-1]).mean(2)], dim=2)
        hidden = trunk(weights, torch.cat([forms, condition(t, label)], dim=2), self.depth)
        matrix = layer(weights, "last", hidden).unflatten(2, (self.positions, self.positions))
        return corrected(noisy, t, repeat_for_arms(noisy, models) @ matrix)


class Network(Protocol):
    """A network that a stack trains. The weights of a layer are named `<layer>.weight` and `<layer>.bias`."""

    channels: int
    positions: int

    def sizes(self) -> dict[str, tuple[int, int]]:
        """(in, out) of every layer, in order."""
        ...

    def zero_init(self, name: str) -> bool:
        """Whether the layer's weights start at 0."""
        ...

    def has_bias(self, name: str) -> bool:
        """Whether the layer has a bias."""
        ...

    def __call__(self, weights: Weights, noisy: Tensor, t: Tensor, label: Tensor) -> Tensor: ...


def init_model(network: Network, generator: Generator) -> Weights:
    """Weights of one model, `[1, in, out]` and `[1, 1, out]`: normal with variance 1 / in, or zero; biases zero."""
    weights = {}
    for name, (inputs, outputs) in network.sizes().items():
        normal = torch.randn(1, inputs, outputs, generator=generator) / math.sqrt(inputs)
        weights[f"{name}.weight"] = torch.zeros_like(normal) if network.zero_init(name) else normal
        if network.has_bias(name):
            weights[f"{name}.bias"] = torch.zeros(1, 1, outputs)
    return weights


def trunk(weights: Weights, features: Tensor, depth: int) -> Tensor:
    """The first layer and `depth` residual layers of every model: features `[S, B, in]` -> `[M, B, width]`."""
    hidden = silu(layer(weights, "first", repeat_for_arms(features, len(weights["first.weight"]))))
    for index in range(depth):
        hidden = hidden + silu(layer(weights, f"hidden{index}", hidden))
    return hidden


def corrected(noisy: Tensor, t: Tensor, correction: Tensor) -> Tensor:
    """The linear predictor on `noisy` `[S, B, C, T]` plus each model's correction `[M, B, C, T]`."""
    linear = linear_predictor(t)[..., None, None] * noisy
    return (correction.unflatten(0, (-1, len(noisy))) + linear).flatten(0, 1)


def layer(weights: Weights, name: str, inputs: Tensor) -> Tensor:
    """The linear layer `name` of every model, each with its own weights: `[M, B, in]` -> `[M, B, out]`."""
    bias = weights.get(f"{name}.bias")
    return (
        inputs @ weights[f"{name}.weight"] if bias is None else torch.baddbmm(bias, inputs, weights[f"{name}.weight"])
    )


def repeat_for_arms(shared: Tensor, models: int) -> Tensor:
    """`[S, ...]` -> `[M, ...]`: the seeds' values, repeated for every arm."""
    return shared.repeat(models // len(shared), *[1] * (shared.dim() - 1))


def condition(t: Tensor, label: Tensor) -> Tensor:
    """Sines and cosines of t and the one-hot label, `[S, B, CONDITION]`, from `t` and `label` `[S, B]`."""
    angle = math.pi * t.unsqueeze(-1) * 2.0 ** torch.arange(OCTAVES)
    return torch.cat([angle.cos(), angle.sin(), one_hot(label, NULL + 1).to(t.dtype)], dim=-1)
