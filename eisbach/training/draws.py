"""What a training step shares between all arms of a seed, drawn from (seed, step) and nothing else.

Steps 3 to 9 of the released recipe; what the settings leave out draws nothing.
"""

import random
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from eisbach import flow
from eisbach.data.latents import Latents
from eisbach.pipeline.params import Finetune
from eisbach.seeds import derive, torch_generator

LATENTS_PER_SECOND = 44100 / 4096
SEGMENTS = 10  # at most so many spans are generated in a clip of the first kind


@dataclass(frozen=True)
class Draw:
    clips: Latents  # cut to the longest
    noise: Tensor  # [B, C, T]
    t: Tensor  # [B]
    dropped: Tensor  # [B] bool: conditioning left out
    valid: Tensor  # [B, T] bool: the clip, and the silence behind it that counts as part of it
    kept: Tensor  # [B, T] bool: given to the model as inpainting context

    @property
    def mask(self) -> Tensor:
        """[B, T] bool, true where the model generates: the positions of loss and belief."""
        return self.valid & ~self.kept


def draw(data: Latents, settings: Finetune, seed: int, step: int) -> Draw:
    """The draws of `step`."""
    clips = data.batch(settings.batch, seed, step)
    generator = torch_generator(seed, "finetune", step)
    t = flow.shift(flow.truncated_logit_normal_t(len(clips), generator), clips.mask.sum(1))
    noise = torch.randn(clips.latents.shape, generator=generator)
    dropped = torch.rand(len(clips), generator=generator) < settings.cfg_dropout
    if settings.ot_coupling and len(clips) > 1:
        noise = flow.couple(clips.latents, noise)
    valid = extended(clips.mask, settings.silence_extension, generator)
    kept = inpainting(valid, settings.inpainting, random.Random(derive(seed, "inpainting", step)))
    return Draw(clips, noise, t, dropped, valid, kept)


def extended(mask: Tensor, seconds: float, generator: Generator) -> Tensor:
    """Step 8: each clip of `mask` [B, T] goes on into silence for an exponential time of mean `seconds`; 0: none."""
    if seconds == 0:
        return mask
    scale = seconds * LATENTS_PER_SECOND
    more = torch.empty(len(mask)).exponential_(1 / scale, generator=generator).long()
    return torch.arange(mask.shape[1]) < (mask.sum(1) + more).unsqueeze(1)


def inpainting(valid: Tensor, shares: tuple[float, float, float], draws: random.Random) -> Tensor:
    """Step 9: what each clip of `valid` [B, T] keeps as context, [B, T] bool.

    `shares` are the probabilities of three kinds: up to ten random spans are generated and the rest is kept;
    everything is generated; the beginning is kept. Draws from Python's generator, in the released order.
    """
    kept = torch.zeros_like(valid)
    for row, length in zip(kept, valid.sum(1).tolist(), strict=True):
        kind = draws.choices(("spans", "all", "continuation"), weights=shares)[0]
        if kind == "all" or length == 0:
            continue
        row[:length] = True
        if kind == "continuation":
            row[draws.randint(0, length) : length] = False
            continue
        count = draws.randint(1, SEGMENTS)
        for _ in range(count):
            size = draws.randint(1, max(1, length // count))
            start = draws.randint(0, length - size)
            row[start : start + size] = False
    return kept
