"""The random draws of a training step, which all arms of a seed share. They depend on the seed and the step only.

These are steps 3 to 9 of the released recipe. A setting that is off draws no random numbers.
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
SEGMENTS = 10  # maximum number of generated spans in a clip


@dataclass(frozen=True)
class Draw:
    """A batch of B clips with C channels and T positions, and its random draws."""

    clips: Latents  # cut to the longest clip of the batch
    noise: Tensor  # [B, C, T]
    t: Tensor  # [B]
    dropped: Tensor  # [B] bool: trained without conditioning
    valid: Tensor  # [B, T] bool: the clip and the silence after it that counts as part of it
    kept: Tensor  # [B, T] bool: the inpainting context given to the model

    @property
    def mask(self) -> Tensor:
        """[B, T] bool, true at the positions to generate, over which loss and belief are computed."""
        return self.valid & ~self.kept

    def split(self, count: int) -> list["Draw"]:
        """`count` draws of equal size, in order. B must be a multiple of `count`."""
        if count == 1:
            return [self]
        rows = torch.arange(len(self.t)).chunk(count)
        return [
            Draw(
                self.clips.rows(some),
                self.noise[some],
                self.t[some],
                self.dropped[some],
                self.valid[some],
                self.kept[some],
            )
            for some in rows
        ]


def draw(data: Latents, settings: Finetune, seed: int, step: int) -> Draw:
    """The clips of `step` and its draws: t is truncated logit-normal, shifted by the length of each clip.

    B is `batch` times `accumulate`: a step of several passes has the draws of one large batch.
    """
    clips = data.batch(settings.batch * settings.accumulate, seed, step)
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
    """Step 8: extend each clip of `mask` [B, T] into the silence after it by an exponential time of mean `seconds`."""
    if seconds == 0:
        return mask
    scale = seconds * LATENTS_PER_SECOND
    more = torch.empty(len(mask)).exponential_(1 / scale, generator=generator).long()
    return torch.arange(mask.shape[1]) < (mask.sum(1) + more).unsqueeze(1)


def inpainting(valid: Tensor, shares: tuple[float, float, float], draws: random.Random) -> Tensor:
    """Step 9: the inpainting context of each clip of `valid` [B, T], as [B, T] bool.

    `shares` are the probabilities of three kinds: up to ten random spans are generated and the rest is context; the
    whole clip is generated; the beginning is context. Draws from Python's generator in the order of the released code.
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
