"""The kinds of adapters that Stability's trainer writes: the tensors of each, and the weight that it makes of W.

    V = W + s (alpha / rank) D        D = B A, in the kinds "-xs" U M V^T with the leading singular vectors U, V of W
    lora        V
    dora        V with its rows scaled to the norms `m` (at Stability "dora-rows")
    dora-cols   V with its columns scaled to the norms `m`
    bora        V with its rows scaled to the norms `m_r`, then its columns to `m_c`

Shapes: W `[out, in]`, A `[r, in]`, B `[out, r]`, M `[r, r]`, U `[out, r]`, V `[in, r]`; norms `[out]` for rows, `[in]`
for columns. s is the strength. Source: `stable_audio_tools.models.lora.model.LoRAParametrization`, 0.0.20.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from eisbach.adapters.low_rank import TINY

LORA_A, LORA_B, MAGNITUDE = "lora_A.weight", "lora_B.weight", "lora_magnitude_vector"  # PEFT's names
CORE, ROWS, COLUMNS, LEFT, RIGHT = "M_xs", "magnitude_r", "magnitude_c", "U", "V"  # Stability's names
TENSORS = {  # kind -> the parts that each adapted layer has
    "lora": (LORA_A, LORA_B),
    "dora": (LORA_A, LORA_B, MAGNITUDE),
    "dora-cols": (LORA_A, LORA_B, MAGNITUDE),
    "bora": (LORA_A, LORA_B, ROWS, COLUMNS),
    "lora-xs": (CORE,),
    "dora-rows-xs": (CORE, MAGNITUDE),
    "dora-cols-xs": (CORE, MAGNITUDE),
    "bora-xs": (CORE, ROWS, COLUMNS),
}
TRAINABLE = ("lora", "dora")  # the kinds that this package trains and PEFT knows


def adapted_weight(
    kind: str,
    weight: Tensor,
    parts: Mapping[str, Tensor],
    scale: float,
    *,
    strength: float = 1.0,
    original: Tensor | None = None,
    detach_norm: bool = False,
) -> Tensor:
    """V `[out, in]`, scaled as `kind` says, for the tensors `parts` of one layer in the shapes above.

    `scale` is alpha / rank. Where several adapters are stacked, `weight` is the result of those before and `original`
    the layer's own W, whose singular vectors the kinds "-xs" use. With `detach_norm` the norms that are divided by pass
    no gradient. At strength 0 every kind gives `weight`.
    """
    if strength == 0:
        return weight
    changed = weight + _update(kind, parts, scale * strength, weight if original is None else original)
    if kind.startswith("lora"):
        return changed
    if kind.startswith("bora"):
        rows_scaled = _scaled(changed, parts[ROWS], 1, detach_norm)
        return _scaled(rows_scaled, parts[COLUMNS], 0, detach_norm)
    return _scaled(changed, parts[MAGNITUDE], 0 if kind.startswith("dora-cols") else 1, detach_norm)


def _update(kind: str, parts: Mapping[str, Tensor], scale: float, original: Tensor) -> Tensor:
    if not kind.endswith("-xs"):
        return scale * parts[LORA_B] @ parts[LORA_A]
    left, right = parts.get(LEFT), parts.get(RIGHT)
    if left is None:
        left, right = singular_vectors(original, len(parts[CORE]))
    return scale * left @ parts[CORE] @ right.T


def _scaled(weight: Tensor, norms: Tensor, axis: int, detach: bool) -> Tensor:
    """`weight` with the vectors along `axis` scaled to `norms`."""
    norm = weight.norm(dim=axis)
    norm = norm.detach() if detach else norm
    return weight * (norms / (norm + TINY)).unsqueeze(axis)


def singular_vectors(weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """The leading `rank` left and right singular vectors of W, `[out, r]` and `[in, r]`.

    The largest entry of each left vector is positive, as at Stability, so that signs do not depend on the library.
    """
    left, _, right = torch.linalg.svd(weight.float(), full_matrices=False)
    sign = left.gather(0, left.abs().argmax(0, keepdim=True)).sign().squeeze(0)
    sign = torch.where(sign == 0, 1.0, sign)
    return (left * sign)[:, :rank], (right * sign.unsqueeze(1))[:rank].T
