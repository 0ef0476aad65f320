"""Samples of one arm for a fixed set of prompts, from noise that all arms share."""

import torch
from torch import Tensor, nn

from eisbach.data.latents import Latents
from eisbach.models.velocity import guided
from eisbach.pipeline.threads import thread_map
from eisbach.sample import euler
from eisbach.seeds import torch_generator


def prompts(heldout: Latents, count: int) -> Latents:
    """`count` held-out clips, evenly spaced in the order of contrast; their conditions are the prompts."""
    ranked = heldout.clips["contrast"].argsort(kind="stable").to_numpy()
    index = torch.linspace(0, len(ranked) - 1, min(count, len(ranked))).round().long()
    return heldout.rows(torch.from_numpy(ranked.copy())[index])


def generate(model: nn.Module, clips: Latents, noises: int, steps: int, cfg_scale: float, noise_seed: int) -> Tensor:
    """Latents [P, N, C, T]: N = `noises` samples for each of the P conditions of `clips`, by Euler steps.

    The noise of sample (p, n) depends on (noise_seed, p, n) only, so more samples do not change the others.
    """
    shape = clips.latents.shape[1:]
    with torch.no_grad():
        velocity = guided(model, clips, cfg_scale)

    def one_per_prompt(index: int) -> Tensor:
        """[P, C, T] sample `index` of every prompt."""
        noise = [
            torch.randn(shape, generator=torch_generator(noise_seed, "sample", p, index)) for p in range(len(clips))
        ]
        return euler(velocity, torch.stack(noise), steps)

    return torch.stack(thread_map(one_per_prompt, range(noises)), 1)
