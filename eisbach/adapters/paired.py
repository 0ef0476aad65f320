"""One adapter per arm on one frozen base: same initial values, and one pass over the base for as many as are active.

Active arms are stacked along the batch, arm by arm: with arms (a, b) the DiT is called on `[2 B, ...]`, the first B
rows of which belong to a. An adapter sees its own rows only; what an arm learns does not depend on its neighbours.
"""

from collections.abc import Iterable
from contextvars import ContextVar
from pathlib import Path

import torch
from peft import LoraConfig
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from eisbach.adapters.low_rank import dora, lora, square_norms
from eisbach.errors import UserError
from eisbach.files import replacing
from eisbach.seeds import torch_generator


def targets(dit: nn.Module) -> list[str]:
    """Names of every Linear and Conv1d of a DiT: what Stability's trainer adapts."""
    return [name for name, module in dit.named_modules() if isinstance(module, nn.Linear | nn.Conv1d)]


def compile_blocks(dit: nn.Module) -> None:
    """Let torch.compile have each transformer block of `dit` when it is first called."""
    for layer in dit.transformer.layers:
        layer.compile()


class _Choice:
    """The active arms: a thread's own (a context's, strictly), so that arms can be trained side by side on one base.

    A thread that neither chose nor inherited any has those chosen last: a device's backward pass computes checkpointed
    layers again in a thread of its own.
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

    def __deepcopy__(self, memo: dict) -> "_Choice":
        return memo.setdefault(id(self), _Choice(self.arms))


class PairedLayer(nn.Module):
    """A frozen Linear, or Conv1d of kernel 1, with an adapter for each of K arms.

    `base_layer` comes first among the children, so that the DiT still finds its own dtype at its first parameter.
    """

    def __init__(self, base_layer: nn.Linear | nn.Conv1d, count: int, rank: int, scale: float, *, magnitudes: bool):
        super().__init__()
        if isinstance(base_layer, nn.Conv1d) and (base_layer.kernel_size != (1,) or base_layer.groups != 1):
            raise ValueError(f"an adapter needs a convolution of kernel 1 in one group, not {base_layer}")
        self.base_layer = base_layer.requires_grad_(False)
        self.scale = scale
        self.choice = _Choice()
        self.detach_norm = False
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

    def tensors(self, arm: int) -> dict[str, nn.Parameter]:
        """The trainable tensors of an arm, by PEFT's names: `lora_A.weight`, `lora_B.weight`, ..."""
        found = {"lora_A.weight": self.lora_A[arm], "lora_B.weight": self.lora_B[arm]}
        if self.lora_magnitude_vector is not None:
            found["lora_magnitude_vector"] = self.lora_magnitude_vector[arm]
        return found

    def forward(self, x: Tensor) -> Tensor:
        """`[K B, ..., in]` -> `[K B, ..., out]` for K active arms; for a convolution the channels are at 1."""
        if isinstance(self.base_layer, nn.Conv1d):
            return self._rows(x.mT).mT
        return self._rows(x)

    def _rows(self, x: Tensor) -> Tensor:
        active = self.choice.arms
        rows = x.reshape(len(active), -1, x.shape[-1])
        adapters = [tuple(self.tensors(arm).values()) for arm in active]
        given = (rows, self.weight, self.base_layer.bias, adapters, self.scale)
        y = lora(*given) if self.lora_magnitude_vector is None else dora(*given, self.square, detach=self.detach_norm)
        return y.reshape(*x.shape[:-1], y.shape[-1])


class PairedAdapters:
    """The adapters of all arms of one seed, in one DiT.

    `dit` is changed in place: its Linear and Conv1d layers are wrapped, its own weights stay frozen. Every arm starts
    from the same draw, derived from (seed, "adapter", layer); an untrained one leaves the output as it was. `kind` is
    "lora" or "dora" (magnitudes per output row, Stability's "dora-rows"); `norm_gradient` says whether the gradient
    flows through DoRA's weight norm ("attached": Stability's trainer) or not ("detached": PEFT).
    Raises UserError for another word.
    """

    def __init__(
        self,
        dit: nn.Module,
        arms: Iterable[str],
        kind: str,
        rank: int,
        alpha: float,
        seed: int = 0,
        norm_gradient: str = "attached",
    ):
        for key, value, known in (
            ("adapter", kind, ("lora", "dora")),
            ("norm_gradient", norm_gradient, ("attached", "detached")),
        ):
            if value not in known:
                raise UserError(
                    f"finetune.{key} is {value!r} in params.yaml; it must be {' or '.join(map(repr, known))}"
                )
        self.dit, self.arms = dit, {arm: index for index, arm in enumerate(arms)}
        self.kind, self.rank, self.alpha = kind, rank, alpha
        self.choice = _Choice()
        self.layers: dict[str, PairedLayer] = {}
        dit.requires_grad_(False)
        for name in targets(dit):
            parent, _, child = name.rpartition(".")
            layer = PairedLayer(dit.get_submodule(name), len(self.arms), rank, alpha / rank, magnitudes=kind == "dora")
            layer.detach_norm, layer.choice = norm_gradient == "detached", self.choice
            setattr(dit.get_submodule(parent), child, layer)
            self.layers[name] = layer
        self.reset(seed)

    def reset(self, seed: int) -> None:
        """Start every arm at the draw of `seed`: A uniform within 1 / sqrt(in), B zero, magnitudes the base's norms."""
        for name, layer in self.layers.items():
            bound = layer.weight.shape[1] ** -0.5  # kaiming_uniform with a = sqrt(5), PEFT's and Stability's
            draw = torch.rand(layer.lora_A[0].shape, generator=torch_generator(seed, "adapter", name))
            with torch.no_grad():
                for arm in self.arms.values():
                    layer.lora_A[arm].copy_((2 * draw - 1) * bound)
                    layer.lora_B[arm].zero_()
                    if layer.lora_magnitude_vector is not None:
                        layer.lora_magnitude_vector[arm].copy_(layer.square.sqrt())

    def activate(self, *arms: str) -> None:
        """Let `arms` alone shape this thread's forward pass, stacked along the batch in this order."""
        self.choice.arms = tuple(self.arms[arm] for arm in arms)

    def parameters(self, arm: str) -> dict[str, nn.Parameter]:
        """The trainable tensors of `arm`, by PEFT's names."""
        return {
            f"{name}.{key}": parameter
            for name, layer in self.layers.items()
            for key, parameter in layer.tensors(self.arms[arm]).items()
        }

    def delta_norm(self, arm: str) -> float:
        """Frobenius norm of c B A over all layers: 0 for an adapter that has learned nothing."""
        total = 0.0
        for layer in self.layers.values():
            a, b = layer.lora_A[self.arms[arm]].detach(), layer.lora_B[self.arms[arm]].detach()
            total += ((b.T @ b) * (a @ a.T)).sum().item() * layer.scale**2
        return max(total, 0.0) ** 0.5

    def state(self, arm: str) -> dict[str, Tensor]:
        """The tensors of `arm` in PEFT's names and shapes, cloned."""
        return {
            name: parameter.detach().clone().reshape(self._shape(name))
            for name, parameter in self.parameters(arm).items()
        }

    def load_state(self, arm: str, state: dict[str, Tensor], source: str | Path) -> None:
        """Inverse of `state`. Raises UserError naming `source` and the first tensor that is missing, foreign or of
        another shape."""
        own = self.parameters(arm)
        wrong = sorted(own.keys() ^ state.keys()) or sorted(
            name for name in own if state[name].shape != self._shape(name)
        )
        if wrong:
            raise UserError(
                f"{source} does not fit this model and finetune.rank {self.rank}: first at '{wrong[0]}' "
                f"({len(wrong)} tensors); take an adapter of this base, or set finetune.adapter and rank to its"
            )
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(state[name].reshape(parameter.shape))

    def save(self, arm: str, folder: str | Path) -> None:
        """Write PEFT's layout: `adapter_config.json` and `adapter_model.safetensors` (fp32)."""
        with replacing(folder) as temporary:
            temporary.mkdir()
            settings = LoraConfig(
                r=self.rank,
                lora_alpha=self.alpha,
                use_dora=self.kind == "dora",
                target_modules=sorted(self.layers),
                lora_dropout=0.0,
                inference_mode=True,
            )
            settings.target_modules = sorted(settings.target_modules)  # a set otherwise, in any order
            settings.save_pretrained(temporary)
            save_file(self.state(arm), temporary / "adapter_model.safetensors", metadata={"format": "pt"})

    def load(self, arm: str, folder: str | Path) -> None:
        """Read what `save` or PEFT wrote into `arm`. Raises UserError when it is missing or does not fit."""
        path = Path(folder) / "adapter_model.safetensors"
        if not path.is_file():
            raise UserError(f"{path} is missing; run `dvc repro finetune` first")
        self.load_state(arm, load_file(path), path)

    def _shape(self, name: str) -> tuple[int, ...]:
        """PEFT's shape of a tensor: a convolution's keep the kernel's axis."""
        layer_name, _, kind = name.removesuffix(".weight").rpartition(".")
        layer = self.layers[layer_name]
        out, width = layer.weight.shape
        linear = {"lora_A": (self.rank, width), "lora_B": (out, self.rank), "lora_magnitude_vector": (out,)}[kind]
        if isinstance(layer.base_layer, nn.Linear):
            return linear
        return (1, out, 1) if kind == "lora_magnitude_vector" else (*linear, 1)
