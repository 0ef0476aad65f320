"""The norms of a frozen Stable Audio DiT in closed form: the same function, a third of the time on a CPU.

    y = R(p) (g * x / sqrt(mean x^2 + eps))         RMS norm over the last axis, then rotary embedding by position p

R turns the pairs (i, i + h), i < h, by p times their frequency and leaves the channels from 2 h on. The library does
this in a dozen passes over memory and keeps as many tensors for the gradient; here it is four, and one tensor. Both
compute in fp32 and round to the input's dtype, the library once more between norm and rotation.
"""

import torch
from stable_audio_tools.models.transformer import ContinuousTransformer, RMSNorm, RotaryEmbedding, TransformerBlock
from torch import Tensor, nn


class Norm(nn.Module):
    """In the place of a frozen RMSNorm, and of the rotary embedding behind it where one is given. `[..., N, D]`."""

    def __init__(self, norm: RMSNorm, rotary: RotaryEmbedding | None = None):
        super().__init__()
        if norm.gamma.requires_grad:
            raise ValueError("the closed form has no gradient for the norm's weight: freeze the model first")
        self.gamma, self.eps, self.rotary = norm.gamma, norm.eps, rotary

    def forward(self, x: Tensor) -> Tensor:
        gamma = self.gamma.to(torch.promote_types(x.dtype, torch.float32))
        if self.rotary is None:
            return _Norm.apply(x, gamma, None, self.eps)
        angles, _ = self.rotary.forward_from_seq_len(x.shape[-2])  # [N, 2 h], both halves alike
        half = angles.shape[-1] // 2
        cos, sin = angles.cos(), angles.sin()
        straight = torch.cat([cos, cos.new_ones(len(cos), len(gamma) - 2 * half)], 1) * gamma
        crossed = torch.cat([-sin[:, :half] * gamma[half : 2 * half], sin[:, half:] * gamma[:half]], 1)
        return _Norm.apply(x, straight.to(gamma.dtype), crossed.to(gamma.dtype), self.eps)


class _Norm(torch.autograd.Function):
    """y = (straight * x + crossed * (x with its halves exchanged)) / sqrt(mean x^2 + eps)."""

    @staticmethod
    def forward(ctx, x, straight, crossed, eps):
        wide = x.to(straight.dtype)
        mean = torch.linalg.vector_norm(wide, dim=-1, keepdim=True).square_().div_(x.shape[-1])
        scale = mean.add_(eps).rsqrt_()
        ctx.save_for_backward(x, scale, straight, crossed)
        return _turned(wide, straight, crossed).mul_(scale).to(x.dtype)

    @staticmethod
    def backward(ctx, grad):
        x, scale, straight, crossed = ctx.saved_tensors
        wide = x.to(straight.dtype)
        if crossed is not None:
            crossed = crossed.roll(crossed.shape[1] // 2, 1)  # of the transposed rotation
        back = _turned(grad.to(straight.dtype), straight, crossed)
        along = torch.linalg.vecdot(wide, back).unsqueeze(-1).mul_(scale.pow(3)).div_(-x.shape[-1])
        return back.mul_(scale).addcmul_(wide, along).to(x.dtype), None, None, None


def _turned(x: Tensor, straight: Tensor, crossed: Tensor | None) -> Tensor:
    turned = x * straight
    if crossed is not None:
        half = crossed.shape[1] // 2
        turned[..., :half].addcmul_(x[..., half : 2 * half], crossed[:, :half])
        turned[..., half : 2 * half].addcmul_(x[..., :half], crossed[:, half:])
    return turned


def use(dit: nn.Module) -> None:
    """Replace the RMS norms of a frozen `dit`, and the rotary embedding of its self-attention, in place.

    Outputs and gradients stay what they were, up to rounding. What it does not know, other norms and other uses of
    rotary embeddings, it leaves. Raises ValueError for a norm that is not frozen.
    """
    for transformer in [module for module in dit.modules() if isinstance(module, ContinuousTransformer)]:
        layers, rotary = transformer.layers, transformer.rotary_pos_emb
        if transformer.cross_attn_rotary_pos_emb is None and all(_known(layer) for layer in layers):
            transformer.rotary_pos_emb = None
            for attention in (layer.self_attn for layer in layers):
                attention.q_norm, attention.k_norm = Norm(attention.q_norm, rotary), Norm(attention.k_norm, rotary)
    for name, module in list(dit.named_modules()):
        if isinstance(module, RMSNorm) and not module.force_fp32:
            dit.set_submodule(name, Norm(module))


def _known(layer: TransformerBlock) -> bool:
    return layer.self_attn.qk_norm == "rms" and not layer.add_rope
