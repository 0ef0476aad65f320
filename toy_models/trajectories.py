"""Curves of C channels over T positions whose energy over time is known: flat, music-like, bursty, rare.

A component is an envelope a(s) times a smooth Gaussian process: its covariance over time is a(s) R(s, s') a(s'), and
its channels are independent. Every envelope has mean square 1, so classes differ in contrast and not in loudness.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from toy_models.mixture import Mixture, zero_mean

FLOOR = 0.15  # amplitude between bursts, before scaling


def kernel(length: int, correlation: float) -> Tensor:
    """Covariance over time `[T, T]`, diagonal 1: 95 % squared exponential, 5 % white noise.

    `correlation` is the length scale in positions.
    """
    position = torch.arange(length, dtype=torch.float64)
    lag = position[:, None] - position
    return 0.95 * torch.exp(-((lag / correlation) ** 2) / 2) + 0.05 * torch.eye(length, dtype=torch.float64)


def burst(length: int, centre: float, width: float) -> Tensor:
    """A smooth envelope `[T]` with one burst, mean square 1; `centre` and `width` are shares of the length."""
    position = (torch.arange(length, dtype=torch.float64) + 0.5) / length
    return unit_power(FLOOR + torch.exp(-(((position - centre) / width) ** 2) * math.log(2) * 4))


def sections(levels: Sequence[float], length: int) -> Tensor:
    """A music-like envelope `[T]`, mean square 1: sections of the given levels, joined by raised cosines."""
    position = (torch.arange(length, dtype=torch.float64) + 0.5) / length * (len(levels) - 1)
    left = position.long().clamp(max=len(levels) - 2)
    blend = (1 - torch.cos(math.pi * (position - left))) / 2
    heights = torch.tensor(levels, dtype=torch.float64)
    return unit_power(heights[left] * (1 - blend) + heights[left + 1] * blend)


def unit_power(envelope: Tensor) -> Tensor:
    """The envelope `[T]` scaled to mean square 1."""
    return envelope / envelope.square().mean().sqrt()


def curves(
    channels: int, length: int = 16, centres: Sequence[float] = (0.125, 0.375, 0.625, 0.875), width: float = 0.25
) -> Mixture:
    """Two classes of equal mass. Flat: a level envelope, smooth or rough. Contrast: one burst at one of `centres`."""
    covariances = [kernel(length, 2.0), kernel(length, 0.7)]
    for centre in centres:
        envelope = burst(length, centre, width)
        covariances.append(envelope[:, None] * kernel(length, 1.4) * envelope)
    count = len(centres)
    classes = torch.tensor([0, 0, *[1] * count])
    weights = [count / 2, count / 2, *[1] * count]
    return zero_mean(weights, torch.stack(covariances), channels, classes, torch.arange(count + 2))


KINDS = ("flat", "music-like", "bursty", "rare")


def envelopes(length: int) -> list[tuple[str, Tensor]]:
    """(kind, envelope `[T]`) of the closed-form regime: one level, three of sections, three bursts of width 1/4 and
    three of width 1/16.
    """
    level = torch.ones(length, dtype=torch.float64)
    return [
        ("flat", level),
        *(("music-like", sections(heights, length)) for heights in ([1, 2, 1, 3], [3, 1, 2, 1], [1, 1, 3, 2])),
        *(("bursty", burst(length, centre, 0.25)) for centre in (0.2, 0.5, 0.8)),
        *(("rare", burst(length, centre, 0.0625)) for centre in (0.2, 0.5, 0.8)),
    ]


def closed_form(channels: int, length: int) -> Mixture:
    """The distribution of the closed-form regime: half flat, the other three kinds a sixth each; a kind is a mode."""
    kinds, shapes = zip(*envelopes(length), strict=True)
    rough = kernel(length, 2.0)
    modes = torch.tensor([KINDS.index(kind) for kind in kinds])
    weights = [0.5 if kind == "flat" else 1 / 18 for kind in kinds]
    covariances = torch.stack([shape[:, None] * rough * shape for shape in shapes])
    return zero_mean(weights, covariances, channels, (modes > 0).long(), modes)
