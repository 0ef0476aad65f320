"""Samples of one adapter for a fixed set of prompts, from noise that every arm shares."""

import torch
from torch import Tensor, nn

from eisbach.data.latents import Latents
from eisbach.models.velocity import guided
from eisbach.pipeline.threads import thread_map
from eisbach.sample import euler
from eisbach.seeds import torch_generator


def prompts(heldout: Latents, count: int) -> Latents:
    """The conditions of `count` held-out clips, evenly spaced over the contrast of their arrangements."""
    ranked = heldout.clips["contrast"].argsort(kind="stable").to_numpy()
    places = torch.linspace(0, len(ranked) - 1, min(count, len(ranked))).round().long()
    return heldout.rows(torch.from_numpy(ranked.copy())[places])


def generate(model: nn.Module, clips: Latents, noises: int, steps: int, cfg_scale: float, noise_seed: int) -> Tensor:
    """Latents [P, N, C, T]: `noises` samples for each of the P conditions of `clips`.

    The noise of sample (p, n) derives from (noise_seed, p, n) alone: more samples leave the others as they were.
    """
    shape = clips.latents.shape[1:]
    with torch.no_grad():
        velocity = guided(model, clips, cfg_scale)

    def one_of_each(index: int) -> Tensor:
        """[P, C, T]: sample `index` of every condition."""
        noise = [
            torch.randn(shape, generator=torch_generator(noise_seed, "sample", p, index)) for p in range(len(clips))
        ]
        return euler(velocity, torch.stack(noise), steps)

    return torch.stack(thread_map(one_of_each, range(noises)), 1)
