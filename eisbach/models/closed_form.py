"""The norms of a frozen Stable Audio DiT in closed form: the same function in a third of the time on a CPU.

    y = R(p) (g * x / sqrt(mean x^2 + eps))         RMS norm over the last axis, then rotary embedding at position p

R rotates the channel pairs (i, i + h), i < h, by p times their frequency and leaves the channels from 2 h on unchanged.
The library makes a dozen passes over memory and keeps as many tensors for the backward pass; this makes four passes and
keeps one tensor. Both compute in fp32 and round to the input's dtype; the library also rounds before the rotation.
"""

import torch
from stable_audio_tools.models.transformer import ContinuousTransformer, RMSNorm, RotaryEmbedding, TransformerBlock
from torch import Tensor, nn


class Norm(nn.Module):
    """A frozen RMSNorm, followed by a rotary embedding when `rotary` is given. `[..., N, D]` -> `[..., N, D]`.

    Raises ValueError when the norm's weight is trainable.
    """

    def __init__(self, norm: RMSNorm, rotary: RotaryEmbedding | None = None):
        super().__init__()
        if norm.gamma.requires_grad:
            raise ValueError("the closed form has no gradient for the norm's weight: freeze the model first")
        self.gamma, self.eps, self.rotary = norm.gamma, norm.eps, rotary

    def forward(self, x: Tensor) -> Tensor:
        gamma = self.gamma.to(torch.promote_types(x.dtype, torch.float32))
        if self.rotary is None:
            return _Norm.apply(x, gamma, None, self.eps)
        angles, _ = self.rotary.forward_from_seq_len(x.shape[-2])  # [N, 2 h], both halves are equal
        half = angles.shape[-1] // 2
        cos, sin = angles.cos(), angles.sin()
        straight = torch.cat([cos, cos.new_ones(len(cos), len(gamma) - 2 * half)], 1) * gamma
        crossed = torch.cat([-sin[:, :half] * gamma[half : 2 * half], sin[:, half:] * gamma[:half]], 1)
        return _Norm.apply(x, straight.to(gamma.dtype), crossed.to(gamma.dtype), self.eps)


class _Norm(torch.autograd.Function):
    """y = (straight * x + crossed * swap(x)) / sqrt(mean x^2 + eps); `swap` exchanges the two rotated halves.

    `straight` is `[D]` or `[N, D]`, `crossed` `[N, 2 h]` or None for no rotation.
    """

    @staticmethod
    def forward(ctx, x, straight, crossed, eps):
        wide = x.to(straight.dtype)
        mean = torch.linalg.vector_norm(wide, dim=-1, keepdim=True).square_().div_(x.shape[-1])
        scale = mean.add_(eps).rsqrt_()
        ctx.save_for_backward(x, scale, straight, crossed)
        return _rotate(wide, straight, crossed).mul_(scale).to(x.dtype)

    @staticmethod
    def backward(ctx, grad):
        x, scale, straight, crossed = ctx.saved_tensors
        wide = x.to(straight.dtype)
        if crossed is not None:
            crossed = crossed.roll(crossed.shape[1] // 2, 1)  # of the transposed rotation
        back = _rotate(grad.to(straight.dtype), straight, crossed)
        along = torch.linalg.vecdot(wide, back).unsqueeze(-1).mul_(scale.pow(3)).div_(-x.shape[-1])
        return back.mul_(scale).addcmul_(wide, along).to(x.dtype), None, None, None


def _rotate(x: Tensor, straight: Tensor, crossed: Tensor | None) -> Tensor:
    """straight * x + crossed * swap(x), `[..., N, D]`."""
    rotated = x * straight
    if crossed is not None:
        half = crossed.shape[1] // 2
        rotated[..., :half].addcmul_(x[..., half : 2 * half], crossed[:, :half])
        rotated[..., half : 2 * half].addcmul_(x[..., :half], crossed[:, half:])
    return rotated


def use(dit: nn.Module) -> None:
    """Replace the RMS norms of a frozen `dit`, and the rotary embedding of its self-attention, in place.

    Outputs and gradients stay equal up to rounding. Other norms and other uses of rotary embeddings are left alone.
    Raises ValueError when a norm is trainable.
    """
    for transformer in [module for module in dit.modules() if isinstance(module, ContinuousTransformer)]:
        layers, rotary = transformer.layers, transformer.rotary_pos_emb
        if transformer.cross_attn_rotary_pos_emb is None and all(_is_supported(layer) for layer in layers):
            transformer.rotary_pos_emb = None
            for attention in (layer.self_attn for layer in layers):
                attention.q_norm, attention.k_norm = Norm(attention.q_norm, rotary), Norm(attention.k_norm, rotary)
    for name, module in list(dit.named_modules()):
        if isinstance(module, RMSNorm) and not module.force_fp32:
            dit.set_submodule(name, Norm(module))


def _is_supported(layer: TransformerBlock) -> bool:
    return layer.self_attn.qk_norm == "rms" and not layer.add_rope
