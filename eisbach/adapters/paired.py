"""One adapter per arm on one frozen base: equal initial values, and one pass over the base for all active arms.

Active arms are stacked along the batch, arm by arm: with arms (a, b) active the DiT is called on `[2 B, ...]`, and the
first B rows belong to a. An adapter only sees its own rows, so an arm learns the same whatever arms it is stacked with.
"""

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from eisbach.adapters import peft_format, stored
from eisbach.adapters.layer import ActiveArms, PairedLayer
from eisbach.errors import UserError
from eisbach.models.tensor_check import mismatches, shapes
from eisbach.seeds import torch_generator


def targets(dit: nn.Module) -> list[str]:
    """Names of every Linear and Conv1d of a DiT: the layers that Stability's trainer adapts."""
    return [name for name, module in dit.named_modules() if isinstance(module, nn.Linear | nn.Conv1d)]


def conditioner_targets(conditioner: nn.Module) -> list[str]:
    """Names of the layers that Stability's trainer adapts in a conditioner: those of the duration's embedding."""
    prefix = f"{stored.CONDITIONER}seconds_total."
    return [name for name in targets(conditioner) if name.startswith(prefix)]


def compile_blocks(dit: nn.Module) -> None:
    """Compile each transformer block of `dit` with torch.compile at its first call."""
    for layer in dit.transformer.layers:
        layer.compile()


class PairedAdapters:
    """The adapters of all arms of one seed, in one DiT and, with `train_conditioner`, in its conditioner.

    `dit` is changed in place: its Linear and Conv1d layers are wrapped and its own weights frozen. `conditioner` is the
    model's; without `train_conditioner` it is only kept, for stored adapters that adapt it. Every arm starts
    from the same draw, derived from (seed, "adapter", layer); an untrained adapter does not change the output. `kind`
    is "lora" or "dora" (one magnitude per output row, Stability's "dora-rows"); `norm_gradient` is "attached" when the
    gradient flows through DoRA's weight norm (Stability's trainer) and "detached" when it does not (PEFT); `rounding`
    is that of `PairedLayer`.
    Raises UserError for any other `kind` or `norm_gradient`.
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
        conditioner: nn.Module | None = None,
        train_conditioner: bool = False,
        rounding: str = "output",
    ):
        for key, value, known in (
            ("adapter", kind, ("lora", "dora")),
            ("norm_gradient", norm_gradient, ("attached", "detached")),
        ):
            if value not in known:
                raise UserError(
                    f"finetune.{key} is {value!r} in params.yaml; it must be {' or '.join(map(repr, known))}"
                )
        self.conditioner, self.trains_conditioner = conditioner, train_conditioner
        self.dit, self.arms = dit, {arm: index for index, arm in enumerate(arms)}
        self.kind, self.rank, self.alpha, self.rounding = kind, rank, alpha, rounding
        self.active = ActiveArms()
        self.layers: dict[str, PairedLayer] = {}
        dit.requires_grad_(False)
        for name in targets(dit) + (conditioner_targets(conditioner) if train_conditioner else []):
            base_layer = self.owner(name).get_submodule(name)
            layer = PairedLayer(base_layer, len(self.arms), rank, alpha / rank, magnitudes=kind == "dora")
            layer.detach_norm, layer.active = norm_gradient == "detached", self.active
            layer.rounding = rounding
            self.layers[name] = layer
        self.insert()
        self.reset(seed)

    def owner(self, name: str) -> nn.Module:
        """The module that holds the layer `name`: the conditioner or the DiT."""
        return self.conditioner if name.startswith(stored.CONDITIONER) else self.dit

    def insert(self) -> None:
        """Put the wrapped layers into the model."""
        for name, layer in self.layers.items():
            self.owner(name).set_submodule(name, layer)

    def remove(self) -> None:
        """Put the base's own layers back into the model; `insert` undoes it."""
        for name, layer in self.layers.items():
            self.owner(name).set_submodule(name, layer.base_layer)

    def reset(self, seed: int) -> None:
        """Set every arm to the draw of `seed`: A uniform within 1 / sqrt(in), B zero, magnitudes the rows' norms."""
        for name, layer in self.layers.items():
            bound = layer.weight.shape[1] ** -0.5  # kaiming_uniform, a = sqrt(5), as in PEFT and Stability's trainer
            draw = torch.rand(layer.lora_A[0].shape, generator=torch_generator(seed, "adapter", name))
            with torch.no_grad():
                for arm in self.arms.values():
                    layer.lora_A[arm].copy_((2 * draw - 1) * bound)
                    layer.lora_B[arm].zero_()
                    if layer.lora_magnitude_vector is not None:
                        layer.lora_magnitude_vector[arm].copy_(layer.square.sqrt())

    def activate(self, *arms: str) -> None:
        """Make `arms` the active ones of this thread, stacked along the batch in this order."""
        self.active.arms = tuple(self.arms[arm] for arm in arms)

    def parameters(self, arm: str) -> dict[str, nn.Parameter]:
        """The trainable tensors of `arm` by PEFT's names, in the shapes of `PairedLayer`."""
        return {
            f"{name}.{part}": parameter
            for name, layer in self.layers.items()
            for part, parameter in layer.tensors(self.arms[arm]).items()
        }

    def delta_norm(self, arm: str) -> float:
        """Frobenius norm of c B A over all layers; 0 for an untrained adapter."""
        total = 0.0
        for layer in self.layers.values():
            a, b = layer.lora_A[self.arms[arm]].detach(), layer.lora_B[self.arms[arm]].detach()
            total += ((b.T @ b) * (a @ a.T)).sum().item() * layer.scale**2
        return max(total, 0.0) ** 0.5

    def state(self, arm: str) -> dict[str, Tensor]:
        """Copies of the tensors of `arm`, in PEFT's names and shapes (`peft_format`)."""
        return {name: tensor.clone() for name, tensor in self._peft_views(arm).items()}

    def load_state(self, arm: str, state: dict[str, Tensor], source: str | Path) -> None:
        """Inverse of `state`. Raises UserError naming `source` and the first tensor that is missing, unknown or of
        another shape."""
        views = self._peft_views(arm)
        if wrong := mismatches(shapes(views), shapes(state)):
            raise UserError(
                f"{source} does not fit this model and finetune.rank {self.rank}: {wrong[0]} ({len(wrong)} tensors); "
                "take an adapter of this base, or set finetune.adapter and finetune.rank to those of the adapter"
            )
        for name, view in views.items():
            view.copy_(state[name])

    def save(self, arm: str, folder: str | Path) -> None:
        """Write `arm` to `folder` in PEFT's layout, in the adapter's dtype (fp32)."""
        peft_format.write(folder, self.adapter(arm))

    def adapter(self, arm: str) -> stored.Adapter:
        """`arm` as the formats take it."""
        return stored.Adapter(self.kind, self.rank, self.alpha, self.state(arm))

    def start_from(self, adapter: stored.Adapter, source: str | Path) -> None:
        """Set every arm to `adapter`; layers that it leaves out keep their initial values.

        Raises UserError naming `source` when its kind, rank or alpha is another one, or a layer is not of this model.
        """
        for key, theirs, own in (
            ("adapter", adapter.kind, self.kind),
            ("rank", adapter.rank, self.rank),
            ("alpha", adapter.alpha, self.alpha),
        ):
            if theirs != own:
                raise UserError(
                    f"{source} has {key} {theirs}, but finetune.{key} is {own}; set it to that of the adapter, or "
                    "start from another"
                )
        for arm in self.arms:
            self.load_state(arm, self.state(arm) | adapter.tensors, source)

    def load(self, arm: str, folder: str | Path) -> None:
        """Read a folder that `save` or PEFT wrote into `arm`. Raises UserError when a file is missing or does not fit.

        `kind` and `alpha` stay this object's own, whatever the folder's config says.
        """
        self.load_state(arm, peft_format.read(folder).tensors, Path(folder) / peft_format.WEIGHTS)

    def _peft_views(self, arm: str) -> dict[str, Tensor]:
        """The tensors of `arm` in PEFT's names and shapes, sharing memory with the parameters."""
        return {
            f"{name}.{part}": peft_format.to_peft_shape(parameter.detach(), part, convolution=layer.is_convolution)
            for name, layer in self.layers.items()
            for part, parameter in layer.tensors(self.arms[arm]).items()
        }
