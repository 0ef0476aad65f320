"""Adapters that others trained: extra arms when samples are generated and measured."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
from torch import nn

from eisbach.adapters import peft_format, sa3_format
from eisbach.adapters.kinds import TRAINABLE, adapted_weight
from eisbach.adapters.layer import PairedLayer
from eisbach.adapters.merged import merged, without_adapters
from eisbach.adapters.paired import PairedAdapters
from eisbach.adapters.stored import CONDITIONER, Adapter, misfit
from eisbach.errors import UserError


def files(folder: str | Path, taken: set[str]) -> dict[str, Path]:
    """Arm -> path, for every NAME.safetensors and every PEFT folder NAME of `folder` that is not hidden.

    Raises UserError for a name that is in `taken`, that a file and a folder share, or that cannot be printed.
    """
    found: dict[str, Path] = {}
    for path in sorted(Path(folder).glob("[!.]*")):
        if path.suffix != ".safetensors" and not (path / peft_format.CONFIG).is_file():
            continue
        name = path.stem if path.suffix == ".safetensors" else path.name
        if not name.isprintable():
            raise UserError(f"{str(path)!a} has a name that cannot be printed; give it another name")
        if name in taken or name in found:
            raise UserError(f"{path} has the name of an arm or of a weighting; give the file another name")
        found[name] = path
    return found


def read(path: str | Path) -> Adapter:
    """The adapter in PEFT's folder or Stable Audio 3's file `path`. Raises the UserErrors of the two formats."""
    return peft_format.read(path) if Path(path).is_dir() else sa3_format.read(path)


@contextmanager
def use_adapter(adapters: PairedAdapters, path: Path, strength: float = 1.0) -> Iterator[None]:
    """Run the model of `adapters` with only the adapter stored at `path`, then restore it.

    The stored adapter may differ from `adapters` in kind and rank, and may leave out layers. Raises UserError when it
    does not fit the model.
    """
    stored = read(path)
    with (
        without_adapters(adapters),
        added(adapters.dit, adapters.conditioner, stored, path, strength, adapters.rounding),
    ):
        yield


@contextmanager
def added(
    dit: nn.Module,
    conditioner: nn.Module | None,
    stored: Adapter,
    source: Path,
    strength: float = 1.0,
    rounding: str = "output",
) -> Iterator[None]:
    """Run a model with the adapter `stored`, read from `source`, on top of its weights, then restore every bit.

    Several adapters are added by nesting, each on the weights that the one before has adapted, as Stability's loader
    does. `strength` multiplies the change of the weights (`kinds.adapted_weight`). With `rounding` "output", a LoRA or
    DoRA on a bf16 base stays in wrapped layers (`merged`); every other adapted weight is rounded to the base's dtype.
    Raises UserError when the adapter does not fit, and for a second one on a bf16 base that rounds outputs.
    """
    if any(isinstance(module, PairedLayer) for module in dit.modules()):
        raise UserError(f"{source} is a second adapter on a bf16 base; set rounding to 'weight', or dtype to 'float32'")
    layers = layers_of(stored, {"": dit, CONDITIONER: conditioner}, source)
    is_bf16 = any(layer.weight.dtype == torch.bfloat16 for layer in layers.values())
    if strength == 0:
        yield
    elif rounding == "output" and stored.kind in TRAINABLE and is_bf16:
        with _beside(dit, conditioner, stored, source, strength):
            yield
    else:
        with applied(stored, layers, strength):
            yield


def layers_of(stored: Adapter, modules: dict[str, nn.Module | None], path: str | Path) -> dict[str, nn.Module]:
    """The layers that `stored` adapts, by name. `modules` maps prefixes of names to the DiT and the conditioner.

    Raises UserError naming `path` when one does not exist, or has another shape.
    """
    found = {}
    for name, parts in stored.layers().items():
        module = modules[CONDITIONER if name.startswith(CONDITIONER) else ""]
        try:
            layer = module.get_submodule(name)
        except AttributeError:
            layer = None
        if not isinstance(layer, nn.Linear | nn.Conv1d):
            raise UserError(f"{path} does not fit this model: it has no layer '{name}'; take an adapter of this base")
        if wrong := misfit(stored, parts, layer.weight.shape):
            raise UserError(f"{path} does not fit this model: in layer '{name}', {wrong}; take an adapter of this base")
        found[name] = layer
    return found


@contextmanager
def applied(stored: Adapter, layers: dict[str, nn.Module], strength: float = 1.0) -> Iterator[None]:
    """Run a model with `stored` in the weights of its `layers` (`layers_of`); afterwards restore every bit."""
    kept = {name: layer.weight.detach().clone() for name, layer in layers.items()}
    parts = stored.layers()
    try:
        with torch.no_grad():
            for name, layer in layers.items():
                own = {part: tensor.to(layer.weight.device, torch.float32) for part, tensor in parts[name].items()}
                weight = layer.weight.flatten(1).float()
                changed = adapted_weight(stored.kind, weight, own, stored.alpha / stored.rank, strength=strength)
                layer.weight.copy_(changed.view_as(layer.weight))
        yield
    finally:
        with torch.no_grad():
            for name, layer in layers.items():
                layer.weight.copy_(kept[name])


@contextmanager
def _beside(
    dit: nn.Module, conditioner: nn.Module | None, stored: Adapter, source: Path, strength: float
) -> Iterator[None]:
    """Run the model with `stored`, a LoRA or DoRA, in wrapped layers."""
    theirs = PairedAdapters(
        dit,
        ["theirs"],
        stored.kind,
        stored.rank,
        stored.alpha,
        conditioner=conditioner,
        train_conditioner=stored.has_conditioner(),
    )
    with ExitStack() as stack:
        stack.callback(theirs.remove)
        theirs.load_state("theirs", theirs.state("theirs") | stored.tensors, source)
        stack.enter_context(merged(theirs, "theirs", strength))
        yield
