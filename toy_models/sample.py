"""Euler sampling of M models from the same noise, t from 1 to 0."""

import torch
from torch import Tensor

from eisbach.seeds import torch_generator
from toy_models.networks import Network, Weights

STEPS = 32
BOUND = 20.0  # coordinates are clamped to this, three times the range of any distribution: untrained models may diverge


@torch.no_grad()
def sample(network: Network, weights: Weights, seeds: list[int], count: int, label: int) -> Tensor:
    """`count` samples of every model under one label, `[M, count, C, T]`; all arms of a seed share the noise."""
    shape = (count, network.channels, network.positions)
    x = torch.stack([torch.randn(shape, generator=torch_generator(seed, "toy samples", label)) for seed in seeds])
    x = x.repeat(len(next(iter(weights.values()))) // len(seeds), 1, 1, 1)
    labels = torch.full(x.shape[:2], label)
    for step in range(STEPS):
        t = torch.full(x.shape[:2], 1 - step / STEPS)
        x = (x - network(weights, x, t, labels) / STEPS).clamp(-BOUND, BOUND)
    return x
