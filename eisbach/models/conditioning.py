"""From cached text states to the keyword arguments of a Stable Audio DiT."""

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
    """Conditioning for `model.model(x, t, **inputs)`.

    states [B, tokens, D] and token_mask [B, tokens] come from `encode`; seconds [B] is the length shown to the
    model; length is T in latents. `dropped` [B] (bool) marks samples whose cross-attention is zeroed: classifier-free
    guidance's null condition, as the DiT itself makes it. `kept` [B, T] (bool) marks positions given to the model as
    inpainting context, taken from `data` [B, C, T]; without it everything is to be generated. `valid` [B, T] (bool)
    marks positions that are no padding; the DiT is told only where a batch has any.
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
