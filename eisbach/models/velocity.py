"""A model as the rest of the project sees it: latents and t in, velocity out, for the clips of an archive."""

import torch
from torch import Tensor, nn

from eisbach.data.latents import Latents
from eisbach.models.conditioning import dit_inputs


def predict(model: nn.Module, noisy: Tensor, t: Tensor, clips: Latents, *, dropped: Tensor | None = None) -> Tensor:
    """Velocity [B, C, T] of `noisy` [B, C, T] at `t` [B] under the conditions of `clips` (B rows)."""
    inputs = dit_inputs(
        model,
        clips.states.float(),
        clips.token_mask,
        clips.seconds,
        noisy.shape[-1],
        dropped=dropped,
        valid=clips.mask,
    )
    return model.model(noisy, t, **inputs, use_checkpointing=False)


def unconditional(model: nn.Module, noisy: Tensor, t: Tensor, clips: Latents) -> Tensor:
    """`predict` with the cross-attention of every sample zeroed: guidance's null condition."""
    return predict(model, noisy, t, clips, dropped=torch.ones(len(noisy), dtype=torch.bool))
