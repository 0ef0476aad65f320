"""The random draws of a training step, which all arms of a seed share. They depend on the seed and the step only.

These are steps 3 to 9 of the released recipe. A setting that is off draws no random numbers.
"""

import math
import random
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from eisbach import flow
from eisbach.data.latents import Latents, batch_index
from eisbach.pipeline.params import Finetune
from eisbach.seeds import derive, torch_generator

RATE, RATIO = 44100, 4096  # samples per second and per latent of every codec here
SEGMENTS = 10  # maximum number of generated spans in a clip


@dataclass(frozen=True)
class Draw:
    """A batch of B clips with C channels and T positions, and its random draws."""

    clips: Latents  # cut to the longest of `valid`
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
    """The clips of `step` and its draws: t is truncated logit-normal, shifted by the length of each whole clip.

    B is `batch` times `accumulate`: a step of several passes has the draws of one large batch.
    """
    count = settings.batch * settings.accumulate
    clips = data.rows(batch_index(len(data), count, seed, step, data.mask.sum(1)))
    lengths = clips.mask.sum(1)
    if settings.crop_seconds:
        clips = cropped(clips, settings.crop_seconds, random.Random(derive(seed, "crop", step)))
        lengths = torch.ceil((clips.seconds.double() * RATE).long() / RATIO)
    valid = extended(clips.mask, settings.silence_extension, torch_generator(seed, "silence", step))
    longest = int(valid.sum(1).max())
    clips, valid = clips.shortened(longest), valid[:, :longest]
    generator = torch_generator(seed, "finetune", step)
    t = flow.shift(flow.truncated_logit_normal_t(count, generator), lengths)
    noise = torch.randn(clips.latents.shape, generator=generator)
    dropped = torch.rand(count, generator=generator) < settings.cfg_dropout
    if settings.ot_coupling and count > 1:
        noise = flow.couple(clips.latents, noise)
    kept = inpainting(valid, settings.inpainting, random.Random(derive(seed, "inpainting", step)))
    return Draw(clips, noise, t, dropped, valid, kept)


def cropped(clips: Latents, seconds: float, draws: random.Random) -> Latents:
    """A part of at most `seconds` of each of `clips`, at a random start; the model is told whole seconds of the clip.

    These are the parts that Stability's loader takes of pre-encoded latents, in whole latents. Its last start is one
    latent before the last that fits.
    """
    size = max(1, int(seconds * RATE) // RATIO)
    lengths = clips.mask.sum(1).tolist()
    starts = [draws.randint(0, length - 1 - size) if length - 1 > size else 0 for length in lengths]
    index = torch.tensor(starts).unsqueeze(1) + torch.arange(min(size, clips.mask.shape[1]))
    return replace(
        clips,
        clips=clips.clips.assign(seconds=[float(math.ceil(one)) for one in clips.clips["seconds"]]),
        latents=clips.latents.gather(2, index.unsqueeze(1).expand(-1, clips.latents.shape[1], -1)),
        mask=clips.mask.gather(1, index),
    )


def extended(mask: Tensor, seconds: float, generator: Generator) -> Tensor:
    """Step 8: extend each clip of `mask` [B, T] into the silence after it by an exponential time of mean `seconds`."""
    if seconds == 0:
        return mask
    scale = seconds * RATE / RATIO
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
