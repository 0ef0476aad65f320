"""The keyword arguments of a Stable Audio DiT, from cached text states."""

from torch import Tensor, nn


def dit_inputs(
    model: nn.Module,
    states: Tensor,
    token_mask: Tensor,
    seconds: Tensor,
    length: int,
    *,
    dropped: Tensor | None = None,
    kept: Tensor | None = None,
    data: Tensor | None = None,
    valid: Tensor | None = None,
) -> dict[str, Tensor]:
    """The conditioning of `model.model(x, t, **inputs)` for B clips of T latents.

    states `[B, tokens, D]` and token_mask `[B, tokens]` are those that `encode` stores; seconds `[B]` is the duration
    that the model is told; length is T. The other arguments are bool masks, except `data` `[B, C, T]`:

    - `dropped` `[B]`: samples without a prompt. Their cross-attention input is zeroed, which is the DiT's own null
      condition of classifier-free guidance.
    - `kept` `[B, T]`: positions of `data` given as inpainting context; by default there are none.
    - `valid` `[B, T]`: positions that are not padding. The DiT gets this mask only if some position is padding.
    """
    conditioners = model.conditioner.conditioners
    prompt = conditioners["prompt"].pad(states, token_mask)
    batch, channels = len(states), model.io_channels
    if kept is None:
        context_mask = prompt.new_zeros(batch, 1, length)
        context = prompt.new_zeros(batch, channels, length)
    else:
        context_mask = kept.unsqueeze(1).to(prompt.dtype)
        context = data * context_mask
    inputs = model.get_conditioning_inputs(
        {
            "prompt": (prompt, token_mask),
            "seconds_total": conditioners["seconds_total"](seconds.tolist(), prompt.device),
            "inpaint_mask": [context_mask],
            "inpaint_masked_input": [context],
        }
    )
    if valid is not None and not valid.all():
        inputs["padding_mask"] = valid
    if dropped is not None:
        inputs["cross_attn_cond"] = inputs["cross_attn_cond"].masked_fill(dropped.view(-1, 1, 1), 0.0)
    return inputs
