"""Adapters that others trained: extra arms when samples are generated and measured."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
from torch import nn

from eisbach.adapters import peft_format, sa3_format
from eisbach.adapters.kinds import TRAINABLE, adapted_weight
from eisbach.adapters.merged import merged, without_adapters
from eisbach.adapters.paired import PairedAdapters
from eisbach.adapters.stored import CONDITIONER, Adapter, misfit
from eisbach.errors import UserError


def files(folder: str | Path, taken: set[str]) -> dict[str, Path]:
    """Arm -> path, for every NAME.safetensors and every PEFT folder NAME of `folder`.

    Raises UserError for a name that is in `taken`, or that a file and a folder share.
    """
    found: dict[str, Path] = {}
    for path in sorted(Path(folder).glob("*")):
        if path.suffix != ".safetensors" and not (path / peft_format.CONFIG).is_file():
            continue
        name = path.stem if path.suffix == ".safetensors" else path.name
        if name in taken or name in found:
            raise UserError(f"{path} has the name of an arm or of a weighting; give the file another name")
        found[name] = path
    return found


def read(path: str | Path) -> Adapter:
    """The adapter in PEFT's folder or Stable Audio 3's file `path`. Raises the UserErrors of the two formats."""
    return peft_format.read(path) if Path(path).is_dir() else sa3_format.read(path)


@contextmanager
def use_adapter(adapters: PairedAdapters, path: Path) -> Iterator[None]:
    """Run the model of `adapters` with only the adapter stored at `path`, then restore it.

    The stored adapter may differ from `adapters` in kind and rank, and may leave out layers. A bf16 layer keeps a LoRA
    or DoRA beside it (`merged`); of the other kinds it takes the adapted weight rounded to bf16, as Stability's loader
    does. Raises UserError when the adapter does not fit the model.
    """
    stored = read(path)
    with without_adapters(adapters):
        modules = {"": adapters.dit, CONDITIONER: adapters.conditioner}
        layers = layers_of(stored, modules, path)
        if stored.kind in TRAINABLE and any(layer.weight.dtype == torch.bfloat16 for layer in layers.values()):
            with _beside(stored, adapters, path):
                yield
        else:
            with applied(stored, layers):
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
def _beside(stored: Adapter, adapters: PairedAdapters, path: Path) -> Iterator[None]:
    """Run the model with `stored`, a LoRA or DoRA, in wrapped layers."""
    theirs = PairedAdapters(
        adapters.dit,
        ["theirs"],
        stored.kind,
        stored.rank,
        stored.alpha,
        conditioner=adapters.conditioner,
        train_conditioner=stored.has_conditioner(),
    )
    with ExitStack() as stack:
        stack.callback(theirs.remove)
        theirs.load_state("theirs", theirs.state("theirs") | stored.tensors, path)
        stack.enter_context(merged(theirs, "theirs"))
        yield
