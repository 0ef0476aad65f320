"""K low-rank adapters of one frozen linear map in one call: forward and backward in closed form.

    V_k = W + c B_k A_k                  LoRA:  y_k = x_k V_k^T + b
    n_k = norms of the rows of V_k       DoRA:  y_k = (m_k / n_k) x_k V_k^T + b      ("dora-rows")

Shapes: x `[K, M, in]`, W `[out, in]`, b `[out]` or None, A_k `[r, in]`, B_k `[out, r]`, m_k `[out]`, y `[K, M, out]`.
No `[out, in]` matrix is built for any arm in either direction, because row by row

    n^2 = |W|^2 + 2 c sum_r (W A^T) * B + c^2 sum_r (B A A^T) * B

Every matrix product is computed per arm: a library may round a row differently when it is multiplied together with
other rows (measured: 1e-5 of a gradient), and an arm's result must not depend on the other arms. At the sizes of
training this costs nothing. Elementwise work is done for all arms at once where the tensors are small, and per arm
where they would not fit the cache.

Precision: x and W may be bf16; the adapter's part is then computed in A's dtype (fp32) and y is rounded to x's dtype.
W and b receive no gradient.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

TINY = 1e-12  # added to the norms as in Stability's layer: a row of zeros stays zero instead of turning into NaN


def square_norms(weight: Tensor) -> Tensor:
    """Squared norms of the rows of W, `[out]`, in float32 or better."""
    return weight.to(torch.promote_types(weight.dtype, torch.float32)).square().sum(1)


def row_norms(weight: Tensor, square: Tensor, a: Sequence[Tensor], b: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """n `[K, out]`, and V_k A_k^T `[K, out, r]`, which the gradient of n needs.

    `square` is `square_norms(weight)`, `a` the K matrices A, `b` the stacked B `[K, out, r]`.
    """
    weight, w_a, b_a_a = weight.to(b.dtype), torch.empty_like(b), torch.empty_like(b)  # W A^T and B A A^T
    for arm, down in enumerate(a):
        torch.mm(weight, down.T, out=w_a[arm])
        torch.mm(b[arm], down @ down.T, out=b_a_a[arm])
    delta = (torch.add(w_a, b_a_a, alpha=scale / 2) * b).sum(-1)
    norm = torch.add(square, delta, alpha=2 * scale).clamp_(min=0).sqrt_()
    return norm, w_a.add_(b_a_a, alpha=scale)


def lora(x: Tensor, weight: Tensor, bias: Tensor | None, adapters: Sequence[tuple[Tensor, Tensor]], scale: float):
    """LoRA's y `[K, M, out]` for `adapters` (A_k, B_k), one per arm."""
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
    """DoRA's y `[K, M, out]` for `adapters` (A_k, B_k, m_k), one per arm; `square` is `square_norms(weight)`.

    With `detach` the norm counts as a constant of the gradient, as in PEFT and in section 4.3 of the DoRA paper;
    without it the gradients of A and B include the norm's, as in Stability's trainer. The outputs are equal.
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
        for arm, (low, a, b) in enumerate(zip(lows, tensors[0::2], tensors[1::2], strict=True)):
            arm_grad, grad_rows = grad[arm].to(a.dtype), None if grad_x is None else grad_x[arm]
            grad_b = torch.empty_like(b)
            grads += [_gradients(arm_grad, x[arm], low, weight, a, b, ctx.scale, grad_rows, grad_b), grad_b]
        return grad_x, None, None, None, *grads


class _DoRA(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, scale, square, detach, *tensors):
        downs, b, m = tensors[0::3], torch.stack(tensors[1::3]), torch.stack(tensors[2::3])
        norm, v_a = row_norms(weight, square, downs, b, scale)
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
        ctx.save_for_backward(x, weight, b, m, norm, inverse, v_a, *downs, *kept)
        ctx.scale, ctx.detach = scale, detach
        return y

    @staticmethod
    def backward(ctx, grad):
        x, weight, b, m, norm, inverse, v_a, *rest = ctx.saved_tensors
        downs, kept, ratio = rest[: len(x)], rest[len(x) :], m * inverse
        grad_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        grad_a, grad_b, grad_ratio = [], torch.empty_like(b), torch.empty_like(m)
        for arm, (down, unscaled, low) in enumerate(zip(downs, kept[0::2], kept[1::2], strict=True)):
            arm_grad, grad_rows = grad[arm].to(b.dtype), None if grad_x is None else grad_x[arm]
            torch.sum(arm_grad * unscaled, 0, out=grad_ratio[arm])
            arm_grad = arm_grad * ratio[arm]
            grad_a.append(_gradients(arm_grad, x[arm], low, weight, down, b[arm], ctx.scale, grad_rows, grad_b[arm]))
        if not ctx.detach:
            grad_norm = -grad_ratio * ratio * inverse
            _add_norm_gradients(grad_a, grad_b, grad_norm, norm, v_a, weight, downs, b, ctx.scale)
        grads = zip(grad_a, grad_b, grad_ratio * inverse, strict=True)
        return grad_x, None, None, None, None, None, *(tensor for arm in grads for tensor in arm)


def _product(rows: Tensor, weight: Tensor, a: Tensor, b: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """x V^T `[M, out]` and x A^T `[M, r]` of one arm, in the adapter's dtype; `rows` is its x `[M, in]`."""
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
    """The gradient with respect to one arm's A, given that with respect to x V^T, `grad` `[M, out]`.

    Writes the gradient with respect to B into `grad_b` and, unless it is None, that with respect to x into `grad_rows`.
    `rows` is x `[M, in]`, `low` is x A^T `[M, r]`.
    """
    grad_low = (grad @ b).mul_(scale)  # [M, r]
    if grad_rows is not None:
        whole = grad_rows if grad_rows.dtype == a.dtype == weight.dtype else None  # a bf16 gradient is summed in fp32
        whole = torch.mm(grad.to(weight.dtype), weight, out=whole).to(a.dtype).addmm_(grad_low, a)
        if whole is not grad_rows:
            grad_rows.copy_(whole)
    torch.mm(grad.T, low, out=grad_b).mul_(scale)
    return grad_low.T @ rows.to(a.dtype)


def _add_norm_gradients(
    grad_a: Sequence[Tensor],
    grad_b: Tensor,
    grad_norm: Tensor,
    norm: Tensor,
    v_a: Tensor,
    weight: Tensor,
    a: Sequence[Tensor],
    b: Tensor,
    scale: float,
) -> None:
    """Add the gradients that reach A and B through n `[K, out]`, by n dn = d(n^2) / 2, to `grad_a` and `grad_b`.

    A row with norm 0 adds nothing. `v_a` is V A^T `[K, out, r]`, the second result of `row_norms`.
    """
    along = torch.where(norm > 0, grad_norm / norm, 0).unsqueeze(-1)
    grad_b.addcmul_(along, v_a, value=scale)
    weight = weight.to(b.dtype)
    for grad, down, up, rows in zip(grad_a, a, b, along * b, strict=True):
        grad.addmm_(rows.T, weight, alpha=scale).addmm_(up.T @ rows, down, alpha=scale**2)
