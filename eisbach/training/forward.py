"""The forward pass of several arms, stacked along the batch, at one draw."""

import torch
from torch import Tensor, nn

from eisbach import flow
from eisbach.adapters.paired import PairedAdapters
from eisbach.models.velocity import conditions
from eisbach.training.draws import Draw


def velocities(
    model: nn.Module, adapters: PairedAdapters, shared: Draw, arms: tuple[str, ...], *, checkpointing: bool = False
) -> tuple[Tensor, Tensor]:
    """The velocities `[K, B, C, T]` of K `arms` at a draw, and the target `[B, C, T]`. Leaves `arms` active."""
    data, count = shared.clips.latents, len(arms)
    inputs = _conditions(model, adapters, shared, arms)
    adapters.activate(*arms)
    noisy = _repeated(flow.interpolate(data, shared.noise, shared.t), count)
    output = model.model(noisy, _repeated(shared.t, count), **inputs, use_checkpointing=checkpointing)
    return output.unflatten(0, (count, -1)), flow.velocity(data, shared.noise)


def _conditions(
    model: nn.Module, adapters: PairedAdapters, shared: Draw, arms: tuple[str, ...]
) -> dict[str, Tensor | object]:
    """The DiT's inputs of K `arms`, stacked along the batch.

    They are embedded for B rows, since the embedder rounds differently for other numbers of rows: once for all arms, or
    for each arm where it has an adapter of the conditioner.
    """
    clips, data = shared.clips, shared.clips.latents
    masks = {"dropped": shared.dropped, "kept": shared.kept, "data": data, "valid": shared.valid}
    if not adapters.trains_conditioner:
        inputs = conditions(model, clips, data.shape[-1], **masks)
        return {name: _repeated(value, len(arms)) for name, value in inputs.items()}
    own = []
    for arm in arms:
        adapters.activate(arm)
        own.append(conditions(model, clips, data.shape[-1], **masks))
    return {
        name: torch.cat([inputs[name] for inputs in own]) if isinstance(value, Tensor) else value
        for name, value in own[0].items()
    }


def _repeated(value: object, count: int) -> object:
    """A tensor `count` times along its first axis; any other value as it is."""
    return value.repeat(count, *[1] * (value.dim() - 1)) if isinstance(value, Tensor) else value
