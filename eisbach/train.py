"""The paired training loop: all arms of one seed see the same clips, noise, t and conditioning dropout.

A generator of records; the caller owns logging and stopping.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from eisbach import flow
from eisbach.adapters.peft_arms import PairedAdapters
from eisbach.data.latents import Latents, order
from eisbach.errors import UserError
from eisbach.models.velocity import predict
from eisbach.objective import objective
from eisbach.params import Finetune
from eisbach.seeds import torch_generator
from eisbach.weighting import Weighting


@dataclass(frozen=True)
class Draw:
    """What a step shares between arms."""

    clips: Latents
    noise: Tensor  # [B, C, T]
    t: Tensor  # [B]
    dropped: Tensor  # [B] bool: conditioning left out


def draw(data: Latents, settings: Finetune, seed: int, step: int) -> Draw:
    """The draws of `step`, a function of (seed, step) and nothing else."""
    clips = data.rows(order(len(data), settings.batch, seed, step))
    generator = torch_generator(seed, "finetune", step)
    length = clips.latents.shape[-1]
    t = flow.shift(flow.truncated_logit_normal_t(len(clips), generator), length)
    noise = torch.randn(clips.latents.shape, generator=generator)
    dropped = torch.rand(len(clips), generator=generator) < settings.cfg_dropout
    return Draw(clips, noise, t, dropped)


def finetune(
    model: nn.Module,
    adapters: PairedAdapters,
    weightings: Mapping[str, Weighting],
    data: Latents,
    settings: Finetune,
    seed: int,
) -> Iterator[dict]:
    """Train the adapter of every arm in `weightings` in place; yield one record per (step, arm).

    A record has `step`, `arm`, `objective` (the scalar that the optimiser saw), and for each sample `clip_id`, `t` and
    the telemetry of `eisbach.objective`, [B] each. Raises UserError naming the clips when a loss is not finite, before
    the optimiser moves.
    """
    optimizers = {
        arm: torch.optim.AdamW(
            adapters.parameters(arm).values(), lr=settings.lr, weight_decay=settings.weight_decay, fused=True
        )
        for arm in weightings
    }
    for step in range(settings.steps):
        shared = draw(data, settings, seed, step)
        noisy = flow.interpolate(shared.clips.latents, shared.noise, shared.t)
        target = flow.velocity(shared.clips.latents, shared.noise)
        names = shared.clips.clips["clip_id"].tolist()
        for arm, weighting in weightings.items():
            adapters.activate(arm)
            output = predict(model, noisy, shared.t, shared.clips, dropped=shared.dropped)
            total, telemetry = objective(
                output, target, shared.t, None, weighting, clean=shared.clips.latents, step=step
            )
            if not torch.isfinite(total):
                raise UserError(
                    f"the loss of arm '{arm}' at step {step} is {total.item()} on clips {', '.join(names)}; "
                    "lower finetune.lr in params.yaml or remove the clips"
                )
            optimizers[arm].zero_grad(set_to_none=True)
            total.backward()
            optimizers[arm].step()
            yield {"step": step, "arm": arm, "objective": total.item(), "clip_id": names, "t": shared.t, **telemetry}
