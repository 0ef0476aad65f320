"""The velocity that a model predicts for clips of an archive: the interface of models to the rest of the project."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from eisbach.data.latents import Latents
from eisbach.models.conditioning import dit_inputs
from eisbach.sample import Velocity, guide


def conditions(model: nn.Module, clips: Latents, length: int, **masks: Tensor | None) -> dict[str, Tensor]:
    """The DiT's inputs for `clips` at `length` latents; `masks` are dropped, kept, data and valid of `dit_inputs`."""
    return dit_inputs(model, clips.states.float(), clips.token_mask, clips.seconds, length, **masks)


def predict(model: nn.Module, noisy: Tensor, t: Tensor, clips: Latents, *, dropped: Tensor | None = None) -> Tensor:
    """Velocity `[B, C, T]` at `noisy` `[B, C, T]` and `t` `[B]` under the conditions of `clips` (B rows).

    `dropped` `[B]` marks the samples without a prompt.
    """
    inputs = conditions(model, clips, noisy.shape[-1], dropped=dropped, valid=clips.mask)
    return model.model(noisy, t, **inputs, use_checkpointing=False)


def unconditional(model: nn.Module, noisy: Tensor, t: Tensor, clips: Latents) -> Tensor:
    """`predict` without the prompts: the null condition of classifier-free guidance."""
    return predict(model, noisy, t, clips, dropped=torch.ones(len(noisy), dtype=torch.bool))


def guided(
    model: nn.Module, clips: Latents, scale: float, apg: float = 0.0, negative: Latents | None = None
) -> Velocity:
    """The guided velocity (`eisbach.sample.guide`) as a function of (x_t, t) to integrate.

    Guidance leads away from the unconditional velocity, or from that under the prompts of `negative`, as many rows as
    `clips`. The conditions are embedded once for all steps, and both velocities come from one pass over 2 B rows. At
    scale 1 only the conditional model runs, on B rows.
    """
    count, length = len(clips), clips.latents.shape[-1]
    if scale == 1:
        conditional = conditions(model, clips, length, valid=clips.mask)
        return lambda x, t: model.model(x, t, **conditional, use_checkpointing=False)
    twice = clips.rows(torch.arange(2 * count) % count)
    dropped = torch.arange(2 * count) >= count
    if negative is not None:
        states, tokens = torch.cat([clips.states, negative.states]), torch.cat([clips.token_mask, negative.token_mask])
        twice, dropped = replace(twice, states=states, token_mask=tokens), None
    both = conditions(model, twice, length, dropped=dropped, valid=twice.mask)

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        output = model.model(torch.cat([x, x]), torch.cat([t, t]), **both, use_checkpointing=False)
        with_prompt, without = output.chunk(2)
        return guide(with_prompt, without, x, t, scale, apg, clips.mask)

    return velocity
