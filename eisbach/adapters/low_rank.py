"""K low-rank adapters of one frozen linear map, side by side: forward and backward in closed form.

    V_k = W + c B_k A_k                  LoRA:  y_k = x_k V_k^T + b
    n_k = |rows of V_k|                  DoRA:  y_k = (m_k / n_k) x_k V_k^T + b      ("dora-rows")

Shapes: x `[K, M, in]`, W `[out, in]`, b `[out]` or None, A_k `[r, in]`, B_k `[out, r]`, m_k `[out]`, y `[K, M, out]`.
No `[out, in]` matrix is built for any arm, in either direction:

    n^2 = |W|^2 + 2 c sum_r (W A^T) * B + c^2 sum_r (B A A^T) * B                row by row

Every product is one arm's: a library's matrix product may round a row differently when other rows stand beside it
(measured: 1e-5 of a gradient), and an arm must not depend on its neighbours. It costs nothing at training's sizes.

Precision: x and W may be bf16; the adapter's part is then computed in A's dtype (fp32), and y rounded to x's.
W and b receive no gradient.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

TINY = 1e-12  # added to the norm, as Stability's layer does: a row of zeros stays one instead of turning into NaN


def square_norms(weight: Tensor) -> Tensor:
    """|rows of W|^2, `[out]`, in float32 or better."""
    return weight.to(torch.promote_types(weight.dtype, torch.float32)).square().sum(1)


def row_norms(weight: Tensor, square: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
    """n `[out]` of one arm in closed form; `square` is `square_norms(weight)`."""
    cross = ((weight.to(a.dtype) @ a.T) * b).sum(1)
    own = ((b @ (a @ a.T)) * b).sum(1)
    return (square + 2 * scale * cross + scale**2 * own).clamp(min=0).sqrt()


def lora(x: Tensor, weight: Tensor, bias: Tensor | None, adapters: Sequence[tuple[Tensor, Tensor]], scale: float):
    """y for `adapters` (A_k, B_k), one an arm."""
    return _LoRA.apply(x, weight, bias, scale, *(tensor for adapter in adapters for tensor in adapter))


def dora(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    adapters: Sequence[tuple[Tensor, Tensor, Tensor]],
    scale: float,
    square: Tensor,
    *,
    detach: bool,
) -> Tensor:
    """y for `adapters` (A_k, B_k, m_k), one an arm; `square` is `square_norms(weight)`.

    With `detach` the norm is a constant of the gradient, as in PEFT and the DoRA paper's section 4.3; without, its
    gradient is part of A's and B's, as in Stability's trainer. The outputs are equal.
    """
    return _DoRA.apply(x, weight, bias, scale, square, detach, *(tensor for adapter in adapters for tensor in adapter))


class _LoRA(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, scale, *tensors):
        ctx.save_for_backward(x, weight, *tensors)
        ctx.scale = scale
        y = x.new_empty(*x.shape[:2], len(weight))
        for rows, out, a, b in zip(x, y, tensors[0::2], tensors[1::2], strict=True):
            adapted = _product(rows, weight, a, b, scale)
            out.copy_(adapted if bias is None else adapted.add_(bias))
        return y

    @staticmethod
    def backward(ctx, grad):
        x, weight, *tensors = ctx.saved_tensors
        grad_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        grads = []
        for place, (a, b) in enumerate(zip(tensors[0::2], tensors[1::2], strict=True)):
            own = grad[place].to(a.dtype)
            grads += _gradients(own, x[place], weight, a, b, ctx.scale, None if grad_x is None else grad_x[place])
        return grad_x, None, None, None, *grads


class _DoRA(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, scale, square, detach, *tensors):
        y = x.new_empty(*x.shape[:2], len(weight))
        unscaled, norms = [], []
        for place, (a, b, m) in enumerate(zip(tensors[0::3], tensors[1::3], tensors[2::3], strict=True)):
            adapted, norm = _product(x[place], weight, a, b, scale), row_norms(weight, square, a, b, scale)
            ratio = m / (norm + TINY)
            if bias is None:
                torch.mul(adapted, ratio, out=y[place])
            else:
                torch.addcmul(bias.to(a.dtype), adapted, ratio, out=y[place])
            unscaled.append(adapted.to(x.dtype))
            norms.append(norm)
        ctx.save_for_backward(x, weight, *unscaled, *norms, *tensors)
        ctx.scale, ctx.detach = scale, detach
        return y

    @staticmethod
    def backward(ctx, grad):
        x, weight, *rest = ctx.saved_tensors
        unscaled, norms, tensors = rest[: len(x)], rest[len(x) : 2 * len(x)], rest[2 * len(x) :]
        grad_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        grads = []
        for place, (norm, a, b, m) in enumerate(zip(norms, tensors[0::3], tensors[1::3], tensors[2::3], strict=True)):
            own = grad[place].to(a.dtype)
            grad_ratio, inverse = (own * unscaled[place]).sum(0), 1 / (norm + TINY)
            grad_a, grad_b = _gradients(
                own * (m * inverse), x[place], weight, a, b, ctx.scale, None if grad_x is None else grad_x[place]
            )
            if not ctx.detach:
                _add_norm_gradients(grad_a, grad_b, -grad_ratio * m * inverse.square(), norm, weight, a, b, ctx.scale)
            grads += [grad_a, grad_b, grad_ratio * inverse]
        return grad_x, None, None, None, None, None, *grads


def _product(rows: Tensor, weight: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
    """rows V^T `[M, out]` in the adapter's dtype."""
    low = rows.to(a.dtype) @ a.T
    return F.linear(rows, weight).to(a.dtype).addmm_(low, b.T, alpha=scale)


def _gradients(
    grad: Tensor, rows: Tensor, weight: Tensor, a: Tensor, b: Tensor, scale: float, grad_rows: Tensor | None
):
    """The gradients of rows V^T by A and B, given the one by itself, `[M, out]`; that by rows into `grad_rows`."""
    back = (grad @ b).mul_(scale)  # [M, r]
    if grad_rows is not None:
        grad_rows.copy_((grad.to(weight.dtype) @ weight).to(a.dtype).addmm_(back, a))
    rows = rows.to(a.dtype)
    return [back.T @ rows, (grad.T @ (rows @ a.T)).mul_(scale)]


def _add_norm_gradients(
    grad_a: Tensor, grad_b: Tensor, grad_norm: Tensor, norm: Tensor, weight: Tensor, a: Tensor, b: Tensor, scale: float
) -> None:
    """What A and B receive through n `[out]`, from n dn = half of d(n^2); nothing through a row of zeros."""
    along = torch.where(norm > 0, grad_norm / norm, 0).unsqueeze(1)
    rows, weight = along * b, weight.to(a.dtype)
    grad_b.add_(along * (weight @ a.T + scale * (b @ (a @ a.T))), alpha=scale)
    grad_a.add_(rows.T @ weight + scale * ((b.T @ rows) @ a), alpha=scale)
