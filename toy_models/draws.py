"""Clean samples, noise, t and label dropout: shared by all arms of a seed, a function of (seed, purpose, step)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from eisbach import flow
from eisbach.seeds import torch_generator
from eisbach.weighting.labelled import HIGHEST
from toy_models.mixture import NULL, Mixture

STEPS_PER_BLOCK = 25  # steps drawn from one generator: a generator for each step would cost more than its draws


@dataclass(frozen=True)
class Draw:
    """The inputs of one training step for S seeds, float32."""

    clean: Tensor  # [S, B, C, T]
    target: Tensor  # [S, B, C, T], noise - clean
    noisy: Tensor  # [S, B, C, T]
    t: Tensor  # [S, B]
    label: Tensor  # [S, B], NULL where dropped
    contrast: Tensor  # [S, B] the class as weightings get it: 0 flat, 2 contrast, never dropped


def draws(
    distribution: Mixture, seeds: Sequence[int], steps: int, batch: int, dropout: float, purpose: str = "toy draws"
) -> Iterator[Draw]:
    """The draws of steps 0, 1, ..., `steps` - 1.

    The draws of a seed depend neither on the other seeds nor on the number of steps.
    """
    for first in range(0, steps, STEPS_PER_BLOCK):
        generators = [torch_generator(seed, purpose, first // STEPS_PER_BLOCK) for seed in seeds]
        blocks = [_block(distribution, generator, batch, dropout) for generator in generators]
        clean, noise, t, label, contrast = (torch.stack(parts, dim=1) for parts in zip(*blocks, strict=True))
        noisy = flow.interpolate(clean.flatten(0, 2), noise.flatten(0, 2), t.flatten()).view(clean.shape)
        target = flow.velocity(clean, noise)
        for index in range(min(STEPS_PER_BLOCK, steps - first)):
            yield Draw(clean[index], target[index], noisy[index], t[index], label[index], contrast[index])


def _block(distribution: Mixture, generator: Generator, batch: int, dropout: float) -> list[Tensor]:
    """Clean samples, noise, t, label and contrast of one seed's block of steps, `[STEPS_PER_BLOCK, B, ...]` each."""
    count = STEPS_PER_BLOCK * batch
    clean, component = distribution.sample(count, generator)
    noise = torch.randn(clean.shape, generator=generator)
    t = flow.uniform_t(count, generator)
    dropped = torch.rand(count, generator=generator) < dropout
    classes = distribution.classes[component]
    parts = (clean.float(), noise, t, classes.masked_fill(dropped, NULL), HIGHEST * classes)
    return [part.unflatten(0, (STEPS_PER_BLOCK, batch)) for part in parts]
