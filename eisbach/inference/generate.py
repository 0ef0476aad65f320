"""Samples of one arm for a fixed set of prompts, from noise that all arms share."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby

import pandas as pd
import torch
from torch import Tensor, nn

from eisbach.data.latents import Latents
from eisbach.models import sampling
from eisbach.models.text import pooled
from eisbach.models.velocity import guided
from eisbach.pipeline.params import Generate
from eisbach.pipeline.threads import thread_map
from eisbach.sample import euler
from eisbach.seeds import torch_generator

PAPER = ("Little Piglet Prince", "Raccoon Mathematician", "Professor Pallas Cat", "Seal Lawyer")
PAPER_SECONDS = 120.0

UseAdapter = Callable[[float], AbstractContextManager]  # strength -> a context in which the model has its adapter


def prompts(heldout: Latents, count: int) -> Latents:
    """`count` held-out clips, evenly spaced in the order of contrast; their conditions are the prompts."""
    ranked = heldout.clips["contrast"].argsort(kind="stable").to_numpy()
    index = torch.linspace(0, len(ranked) - 1, min(count, len(ranked))).round().long()
    return heldout.rows(torch.from_numpy(ranked.copy())[index])


def chosen(model: nn.Module, heldout: Latents, which: int | str) -> Latents:
    """`prompts` for a number; for "paper" the paper's four prompts and 120 s, without clips of their own."""
    return written(model, PAPER, PAPER_SECONDS) if which == "paper" else prompts(heldout, which)


@torch.no_grad()
def written(model: nn.Module, captions: tuple[str, ...] | list[str], seconds: float) -> Latents:
    """The conditions of `captions` for samples of `seconds`, with zeros as latents and fp32 text states."""
    states, mask = model.conditioner.conditioners["prompt"].states(list(captions))
    length = -(-round(seconds * model.sample_rate) // model.pretransform.downsampling_ratio)
    names = [f"prompt-{index}" for index in range(len(captions))]
    clips = pd.DataFrame(
        {
            "clip_id": names,
            "group": names,
            "split": "heldout",
            "caption": list(captions),
            "seconds": seconds,
            "contrast": float("nan"),
            "contrast_class": "unknown",
        }
    )
    latents = torch.zeros(len(names), model.io_channels, length)
    valid = torch.ones(len(names), length, dtype=torch.bool)
    return Latents(clips, latents, valid, states, mask, pooled(states, mask))


def generate(
    model: nn.Module, clips: Latents, settings: Generate, noise_seed: int, use_adapter: UseAdapter | None = None
) -> Tensor:
    """Latents [P, N, C, T]: N = `settings.noises` samples for each of the P conditions of `clips`, by Euler steps.

    The noise of sample (p, n) depends on (noise_seed, p, n) only, so more samples do not change the others. The
    headroom is generated and then cut off.
    """
    asked = sampling.lengthened(model, clips, settings.headroom_seconds)
    noise = [
        torch.stack(
            [
                torch.randn(asked.latents.shape[1:], generator=torch_generator(noise_seed, "sample", p, index))
                for p in range(len(asked))
            ]
        )
        for index in range(settings.noises)
    ]
    return torch.stack(denoise(model, asked, settings, noise, use_adapter), 1)[..., : clips.latents.shape[-1]]


def denoise(
    model: nn.Module, asked: Latents, settings: Generate, x: list[Tensor], use_adapter: UseAdapter | None = None
) -> list[Tensor]:
    """The samples [P, C, T] of the conditions of `asked` at the end of each noise [P, C, T] of `x`.

    `use_adapter` runs the model with the adapter: with `settings.strength` for the steps at t in `settings.interval`,
    with strength 0 for the others; without it the model runs as it is.
    """
    times = sampling.times(model, asked, x[0].shape[-1], settings.steps, settings.schedule)
    against = None
    if settings.negative_prompt:
        negative = written(model, [settings.negative_prompt], 1.0)
        against = negative.rows(torch.zeros(len(asked), dtype=torch.long))
    for within, part in segments(times, settings.interval):
        with use_adapter(settings.strength if within else 0.0) if use_adapter else nullcontext():
            with torch.no_grad():
                velocity = guided(model, asked, settings.cfg_scale, settings.apg, against)
            x = thread_map(lambda noise, velocity=velocity, part=part: euler(velocity, noise, part), x)
    return x


def segments(times: Tensor, interval: tuple[float, float]) -> Iterator[tuple[bool, Tensor]]:
    """Runs of steps that begin inside `interval` or outside it, as (inside, times with both ends), in order.

    As in Stability's DiT, the first sample's t decides for a batch with several schedules.
    """
    starts = times.flatten(1)[:, 0] if times.dim() > 1 else times
    inside = [interval[0] <= t <= interval[1] for t in starts[:-1].tolist()]
    for within, run in groupby(range(len(inside)), key=inside.__getitem__):
        steps = list(run)
        yield within, times[steps[0] : steps[-1] + 2]
