"""K low-rank adapters of one frozen linear map, side by side: forward and backward in closed form.

    V_k = W + c B_k A_k                  LoRA:  y_k = x_k V_k^T + b
    n_k = |rows of V_k|                  DoRA:  y_k = (m_k / n_k) x_k V_k^T + b      ("dora-rows")

Shapes: x `[K, M, in]`, W `[out, in]`, b `[out]` or None, A_k `[r, in]`, B_k `[out, r]`, m_k `[out]`, y `[K, M, out]`.
No `[out, in]` matrix is built for any arm, in either direction:

    n^2 = |W|^2 + 2 c sum_r (W A^T) * B + c^2 sum_r (B A A^T) * B                row by row

Every product is one arm's: a library's matrix product may round a row differently when other rows stand beside it
(measured: 1e-5 of a gradient), and an arm must not depend on its neighbours. It costs nothing at training's sizes. What
is left, element by element, is done for all arms at once where it is small, and arm by arm where it would outgrow the
cache.

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


def row_norms(weight: Tensor, square: Tensor, a: Sequence[Tensor], b: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """n `[K, out]` in closed form, and V_k A_k^T `[K, out, r]`, which its gradient needs; b is B `[K, out, r]`.

    `square` is `square_norms(weight)`.
    """
    weight, crossed, own = weight.to(b.dtype), torch.empty_like(b), torch.empty_like(b)
    for place, down in enumerate(a):
        torch.mm(weight, down.T, out=crossed[place])
        torch.mm(b[place], down @ down.T, out=own[place])
    delta = (torch.add(crossed, own, alpha=scale / 2) * b).sum(-1)
    norm = torch.add(square, delta, alpha=2 * scale).clamp_(min=0).sqrt_()
    return norm, crossed.add_(own, alpha=scale)


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
        y, lows = x.new_empty(*x.shape[:2], len(weight)), []
        for rows, out, a, b in zip(x, y, tensors[0::2], tensors[1::2], strict=True):
            adapted, low = _product(rows, weight, a, b, scale)
            out.copy_(adapted if bias is None else adapted.add_(bias))
            lows.append(low)
        ctx.save_for_backward(x, weight, *lows, *tensors)
        ctx.scale = scale
        return y

    @staticmethod
    def backward(ctx, grad):
        x, weight, *rest = ctx.saved_tensors
        lows, tensors = rest[: len(x)], rest[len(x) :]
        grad_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        grads = []
        for place, (low, a, b) in enumerate(zip(lows, tensors[0::2], tensors[1::2], strict=True)):
            own, into = grad[place].to(a.dtype), None if grad_x is None else grad_x[place]
            grad_b = torch.empty_like(b)
            grads += [_gradients(own, x[place], low, weight, a, b, ctx.scale, into, grad_b), grad_b]
        return grad_x, None, None, None, *grads


class _DoRA(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, scale, square, detach, *tensors):
        downs, b, m = tensors[0::3], torch.stack(tensors[1::3]), torch.stack(tensors[2::3])
        norm, shadow = row_norms(weight, square, downs, b, scale)
        inverse = norm.add(TINY).reciprocal_()
        y, kept = x.new_empty(*x.shape[:2], len(weight)), []
        bias = None if bias is None else bias.to(b.dtype)
        for rows, out, down, up, ratio in zip(x, y, downs, b, m * inverse, strict=True):
            adapted, low = _product(rows, weight, down, up, scale)
            if bias is None:
                torch.mul(adapted, ratio, out=out)
            else:
                torch.addcmul(bias, adapted, ratio, out=out)
            kept += [adapted.to(x.dtype), low]
        ctx.save_for_backward(x, weight, b, m, norm, inverse, shadow, *downs, *kept)
        ctx.scale, ctx.detach = scale, detach
        return y

    @staticmethod
    def backward(ctx, grad):
        x, weight, b, m, norm, inverse, shadow, *rest = ctx.saved_tensors
        downs, kept, ratio = rest[: len(x)], rest[len(x) :], m * inverse
        grad_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        grad_a, grad_b, grad_ratio = [], torch.empty_like(b), torch.empty_like(m)
        for place, (down, unscaled, low) in enumerate(zip(downs, kept[0::2], kept[1::2], strict=True)):
            own, into = grad[place].to(b.dtype), None if grad_x is None else grad_x[place]
            torch.sum(own * unscaled, 0, out=grad_ratio[place])
            own = own * ratio[place]
            grad_a.append(_gradients(own, x[place], low, weight, down, b[place], ctx.scale, into, grad_b[place]))
        if not ctx.detach:
            _add_norm_gradients(
                grad_a, grad_b, -grad_ratio * ratio * inverse, norm, shadow, weight, downs, b, ctx.scale
            )
        grads = zip(grad_a, grad_b, grad_ratio * inverse, strict=True)
        return grad_x, None, None, None, None, None, *(tensor for arm in grads for tensor in arm)


def _product(rows: Tensor, weight: Tensor, a: Tensor, b: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """rows V^T `[M, out]` and rows A^T `[M, r]`, in the adapter's dtype."""
    low = rows.to(a.dtype) @ a.T
    return F.linear(rows, weight).to(a.dtype).addmm_(low, b.T, alpha=scale), low


def _gradients(
    grad: Tensor,
    rows: Tensor,
    low: Tensor,
    weight: Tensor,
    a: Tensor,
    b: Tensor,
    scale: float,
    grad_rows: Tensor | None,
    grad_b: Tensor,
) -> Tensor:
    """The gradient of rows V^T by A, given the one by itself, `[M, out]`; those by rows and B into the last two."""
    back = (grad @ b).mul_(scale)  # [M, r]
    if grad_rows is not None:
        whole = grad_rows if grad_rows.dtype == a.dtype == weight.dtype else None  # bf16 is summed up in fp32
        whole = torch.mm(grad.to(weight.dtype), weight, out=whole).to(a.dtype).addmm_(back, a)
        if whole is not grad_rows:
            grad_rows.copy_(whole)
    torch.mm(grad.T, low, out=grad_b).mul_(scale)
    return back.T @ rows.to(a.dtype)


def _add_norm_gradients(
    grad_a: Sequence[Tensor],
    grad_b: Tensor,
    grad_norm: Tensor,
    norm: Tensor,
    shadow: Tensor,
    weight: Tensor,
    a: Sequence[Tensor],
    b: Tensor,
    scale: float,
) -> None:
    """What A and B receive through n `[K, out]`, from n dn = half of d(n^2); nothing through a row of zeros.

    `shadow` is V A^T, `[K, out, r]`.
    """
    along = torch.where(norm > 0, grad_norm / norm, 0).unsqueeze(-1)
    grad_b.addcmul_(along, shadow, value=scale)
    weight = weight.to(b.dtype)
    for grad, down, up, rows in zip(grad_a, a, b, along * b, strict=True):
        grad.addmm_(rows.T, weight, alpha=scale).addmm_(up.T @ rows, down, alpha=scale**2)
