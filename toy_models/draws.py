"""What all arms of a seed share: clean samples, noise, t and label dropout, a function of (seed, purpose, step)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from eisbach import flow
from eisbach.seeds import torch_generator
from toy_models.mixture import NULL, Mixture

TOGETHER = 25  # steps drawn at once: one generator each would cost more than the draws


@dataclass(frozen=True)
class Draw:
    """One step of S seeds, float32."""

    clean: Tensor  # [S, B, C, T]
    target: Tensor  # [S, B, C, T], noise - clean
    noisy: Tensor  # [S, B, C, T]
    t: Tensor  # [S, B]
    label: Tensor  # [S, B], NULL where dropped


def draws(
    law: Mixture, seeds: Sequence[int], steps: int, batch: int, dropout: float, purpose: str = "toy draws"
) -> Iterator[Draw]:
    """The draws of step 0, 1, ...; a seed's are the same whatever seeds stand beside it and however many steps come."""
    for first in range(0, steps, TOGETHER):
        blocks = [_block(law, torch_generator(seed, purpose, first // TOGETHER), batch, dropout) for seed in seeds]
        clean, noise, t, label = (torch.stack(parts, dim=1) for parts in zip(*blocks, strict=True))
        noisy = flow.interpolate(clean.flatten(0, 2), noise.flatten(0, 2), t.flatten()).view(clean.shape)
        target = flow.velocity(clean, noise)
        for index in range(min(TOGETHER, steps - first)):
            yield Draw(clean[index], target[index], noisy[index], t[index], label[index])


def _block(law: Mixture, generator: Generator, batch: int, dropout: float) -> list[Tensor]:
    """Clean, noise, t, label of `TOGETHER` steps of one seed, `[TOGETHER, B, ...]` each."""
    count = TOGETHER * batch
    clean, component = law.sample(count, generator)
    noise = torch.randn(clean.shape, generator=generator)
    t = flow.uniform_t(count, generator)
    dropped = torch.rand(count, generator=generator) < dropout
    label = law.classes[component].masked_fill(dropped, NULL)
    return [part.unflatten(0, (TOGETHER, batch)) for part in (clean.float(), noise, t, label)]
