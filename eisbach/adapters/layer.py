"""One frozen layer of the DiT with an adapter for each of K arms, and the choice of the arms that are active."""

from contextvars import ContextVar

import torch
from torch import Tensor, nn

from eisbach.adapters import kinds
from eisbach.adapters.kinds import LORA_A, LORA_B, MAGNITUDE
from eisbach.adapters.low_rank import dora, lora, square_norms


class ActiveArms:
    """Indices of the arms that shape the forward pass, separate for each thread (strictly, for each context).

    With one choice per thread, arms can be trained in parallel on one base. A thread that has neither chosen nor
    inherited any arms uses those that any thread chose last: on a GPU, autograd recomputes checkpointed layers in a
    thread that it starts itself.
    """

    def __init__(self, arms: tuple[int, ...] = (0,)):
        self._own, self._last = ContextVar("active arms"), arms

    @property
    def arms(self) -> tuple[int, ...]:
        return self._own.get(self._last)

    @arms.setter
    def arms(self, arms: tuple[int, ...]) -> None:
        self._own.set(arms)
        self._last = arms

    def __deepcopy__(self, memo: dict) -> "ActiveArms":
        return memo.setdefault(id(self), ActiveArms(self.arms))


class PairedLayer(nn.Module):
    """A frozen Linear, or Conv1d of kernel 1, with an adapter for each of `count` arms.

    `scale` is c = alpha / rank of V = W + c B A. With `magnitudes` the adapters are DoRA, otherwise LoRA. Trainable
    tensors are at least fp32; lora_A `[r, in]` and lora_B `[out, r]` start at zero, lora_magnitude_vector `[out]` at
    the norms of the rows of W. `base_layer` is the first child, because the DiT reads its dtype from its first
    parameter. Over a base in fewer bits, `rounding` tells what is rounded to its dtype: "weight" builds and rounds the
    adapted weight, as Stability's layer does; "output" rounds the layer's output only. Raises ValueError for a
    convolution with a wider kernel or several groups.
    """

    def __init__(self, base_layer: nn.Linear | nn.Conv1d, count: int, rank: int, scale: float, *, magnitudes: bool):
        super().__init__()
        if isinstance(base_layer, nn.Conv1d) and (base_layer.kernel_size != (1,) or base_layer.groups != 1):
            raise ValueError(f"an adapter needs a convolution of kernel 1 in one group, not {base_layer}")
        self.base_layer = base_layer.requires_grad_(False)
        self.scale = scale
        self.active = ActiveArms()
        self.detach_norm = False
        self.rounding = "output"
        out, width = self.weight.shape
        factory = {"dtype": torch.promote_types(self.weight.dtype, torch.float32), "device": self.weight.device}
        self.lora_A = nn.ParameterList(torch.zeros(rank, width, **factory) for _ in range(count))
        self.lora_B = nn.ParameterList(torch.zeros(out, rank, **factory) for _ in range(count))
        self.lora_magnitude_vector = None
        if magnitudes:
            self.register_buffer("square", square_norms(self.weight), persistent=False)
            self.lora_magnitude_vector = nn.ParameterList(self.square.sqrt() for _ in range(count))

    @property
    def weight(self) -> Tensor:
        """W `[out, in]`."""
        return self.base_layer.weight.flatten(1)

    @property
    def is_convolution(self) -> bool:
        return isinstance(self.base_layer, nn.Conv1d)

    def tensors(self, arm: int) -> dict[str, nn.Parameter]:
        """The trainable tensors of an arm by PEFT's names, in this class's shapes."""
        found = {LORA_A: self.lora_A[arm], LORA_B: self.lora_B[arm]}
        if self.lora_magnitude_vector is not None:
            found[MAGNITUDE] = self.lora_magnitude_vector[arm]
        return found

    @property
    def is_mixed(self) -> bool:
        """Whether the base is stored in fewer bits than the adapters."""
        return self.weight.dtype != self.lora_A[0].dtype

    def adapted_weight(self, arm: int) -> Tensor:
        """W + c B A `[out, in]` in the adapter's dtype; for DoRA each row is scaled to its magnitude."""
        kind = "lora" if self.lora_magnitude_vector is None else "dora"
        return kinds.adapted_weight(kind, self.weight, self.tensors(arm), self.scale, detach_norm=self.detach_norm)

    def forward(self, x: Tensor) -> Tensor:
        """`[K B, ..., in]` -> `[K B, ..., out]` for K active arms; a convolution has its channels on axis 1."""
        if self.is_convolution:
            return self.apply_to_rows(x.mT).mT
        return self.apply_to_rows(x)

    def apply_to_rows(self, x: Tensor) -> Tensor:
        """`[K B, ..., in]` -> `[K B, ..., out]`, features on the last axis."""
        active = self.active.arms
        rows = x.reshape(len(active), -1, x.shape[-1])
        if self.rounding == "weight" and self.is_mixed:
            weights = [self.adapted_weight(arm).to(self.weight.dtype) for arm in active]
            own = [
                nn.functional.linear(row, weight, self.base_layer.bias)
                for row, weight in zip(rows, weights, strict=True)
            ]
            return torch.stack(own).reshape(*x.shape[:-1], len(self.weight))
        adapters = [tuple(self.tensors(arm).values()) for arm in active]
        given = (rows, self.weight, self.base_layer.bias, adapters, self.scale)
        y = lora(*given) if self.lora_magnitude_vector is None else dora(*given, self.square, detach=self.detach_norm)
        return y.reshape(*x.shape[:-1], y.shape[-1])
