"""K low-rank adapters of one frozen linear map, side by side: forward and backward in closed form.

    V_k = W + c B_k A_k                  LoRA:  y = x V_k^T + b
    n_k = |rows of V_k|                  DoRA:  y = (m_k / n_k) x V_k^T + b      ("dora-rows")

Shapes: x `[K, M, in]`, W `[out, in]`, b `[out]` or None, A `[K, r, in]`, B `[K, out, r]`, m `[K, out]`,
y `[K, M, out]`.
W is multiplied once with the rows of all arms; no `[out, in]` matrix is built for any arm, in either direction:

    n^2 = |W|^2 + 2 c sum_r (W A^T) * B + c^2 sum_r (B A A^T) * B                row by row

Precision: x and W may be bf16; the adapter's part is then computed in A's dtype (fp32), and y rounded to x's.
W and b receive no gradient.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

TINY = 1e-12  # added to the norm, as Stability's layer does: a row of zeros stays one instead of turning into NaN


def square_norms(weight: Tensor) -> Tensor:
    """|rows of W|^2, `[out]`, in float32 or better."""
    return weight.to(torch.promote_types(weight.dtype, torch.float32)).square().sum(1)


def row_norms(weight: Tensor, square: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
    """n `[K, out]` in closed form; `square` is `square_norms(weight)`."""
    projected = a @ weight.to(a.dtype).T  # A W^T [K, r, out]
    cross = (projected.mT * b).sum(-1)
    own = ((b @ (a @ a.mT)) * b).sum(-1)
    return (square + 2 * scale * cross + scale**2 * own).clamp(min=0).sqrt()


class LoRA(torch.autograd.Function):
    """`LoRA.apply(x, W, b, A, B, c)` -> y."""

    @staticmethod
    def forward(ctx, x, weight, bias, a, b, scale):
        low = x.to(a.dtype) @ a.mT
        ctx.save_for_backward(x, weight, a, b, low)
        ctx.scale = scale
        return _add_bias(_sum(x, weight, low, b, scale), bias).to(x.dtype)

    @staticmethod
    def backward(ctx, grad):
        x, weight, a, b, low = ctx.saved_tensors
        grad_x, grad_a, grad_b = _backward(grad.to(a.dtype), x, weight, a, b, low, ctx.scale, ctx.needs_input_grad[0])
        return grad_x, None, None, grad_a, grad_b, None


class DoRA(torch.autograd.Function):
    """`DoRA.apply(x, W, b, A, B, c, m, square_norms(W), detach)` -> y.

    With `detach` the norm is a constant of the gradient, as in PEFT and the DoRA paper's section 4.3; without, its
    gradient is part of A's and B's, as in Stability's trainer. The outputs are equal.
    """

    @staticmethod
    def forward(ctx, x, weight, bias, a, b, scale, magnitude, square, detach):
        low = x.to(a.dtype) @ a.mT
        norm = row_norms(weight, square, a, b, scale)
        unscaled = _sum(x, weight, low, b, scale)
        ctx.save_for_backward(x, weight, a, b, low, magnitude, norm, unscaled.to(x.dtype))
        ctx.scale, ctx.detach = scale, detach
        ratio = (magnitude / (norm + TINY)).unsqueeze(1)
        output = unscaled * ratio if bias is None else torch.addcmul(bias.to(a.dtype), unscaled, ratio)
        return output.to(x.dtype)

    @staticmethod
    def backward(ctx, grad):
        x, weight, a, b, low, magnitude, norm, unscaled = ctx.saved_tensors
        grad = grad.to(a.dtype)
        grad_ratio = (grad * unscaled).sum(1)
        inverse = 1 / (norm + TINY)
        grad = grad * (magnitude * inverse).unsqueeze(1)
        grad_x, grad_a, grad_b = _backward(grad, x, weight, a, b, low, ctx.scale, ctx.needs_input_grad[0])
        if not ctx.detach:
            grad_norm = -grad_ratio * magnitude * inverse.square()
            along = torch.where(norm > 0, grad_norm / norm, 0).unsqueeze(-1)  # n dn = half of d(n^2)
            rows, gram = along * b, a @ a.mT
            weight = weight.to(a.dtype)
            grad_b += ctx.scale * along * ((a @ weight.T).mT + ctx.scale * (b @ gram))
            grad_a += ctx.scale * (rows.mT @ weight + ctx.scale * ((b.mT @ rows) @ a))
        return grad_x, None, None, grad_a, grad_b, None, grad_ratio * inverse, None, None


def _sum(x: Tensor, weight: Tensor, low: Tensor, b: Tensor, scale: float) -> Tensor:
    """x V^T `[K, M, out]` in the adapter's dtype, from low = x A^T."""
    base = F.linear(x.flatten(0, 1), weight).unflatten(0, x.shape[:2]).to(low.dtype)
    return base.baddbmm_(low, b.mT, alpha=scale)


def _add_bias(y: Tensor, bias: Tensor | None) -> Tensor:
    return y if bias is None else y.add_(bias.to(y.dtype))


def _backward(grad: Tensor, x: Tensor, weight: Tensor, a: Tensor, b: Tensor, low: Tensor, scale: float, needs_x: bool):
    """The gradients of x V^T by x, A and B, given the one by itself, `[K, M, out]`."""
    back = torch.bmm(grad, b).mul_(scale)  # [K, M, r]
    grad_x = None
    if needs_x:
        base = (grad.to(weight.dtype).flatten(0, 1) @ weight).unflatten(0, grad.shape[:2]).to(a.dtype)
        grad_x = base.baddbmm_(back, a).to(x.dtype)
    return grad_x, back.mT @ x.to(a.dtype), (grad.mT @ low).mul_(scale)
