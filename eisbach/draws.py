"""What a training step shares between all arms of a seed, drawn from (seed, step) and nothing else."""

from dataclasses import dataclass

import torch
from torch import Tensor

from eisbach import flow
from eisbach.data.latents import Latents, order
from eisbach.params import Finetune
from eisbach.seeds import torch_generator


@dataclass(frozen=True)
class Draw:
    clips: Latents
    noise: Tensor  # [B, C, T]
    t: Tensor  # [B]
    dropped: Tensor  # [B] bool: conditioning left out


def draw(data: Latents, settings: Finetune, seed: int, step: int) -> Draw:
    """The draws of `step`."""
    clips = data.rows(order(len(data), settings.batch, seed, step))
    generator = torch_generator(seed, "finetune", step)
    length = clips.latents.shape[-1]
    t = flow.shift(flow.truncated_logit_normal_t(len(clips), generator), length)
    noise = torch.randn(clips.latents.shape, generator=generator)
    dropped = torch.rand(len(clips), generator=generator) < settings.cfg_dropout
    return Draw(clips, noise, t, dropped)
