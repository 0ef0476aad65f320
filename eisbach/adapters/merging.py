"""A checkpoint with adapters merged into its weights, read and written as a file: no model is built."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from eisbach.adapters.imported import read
from eisbach.adapters.kinds import adapted_weight
from eisbach.adapters.stored import CONDITIONER, misfit
from eisbach.errors import UserError
from eisbach.pipeline.files import replacing

WEIGHTS = "model.safetensors"


def merge(base: str | Path, adapters: Sequence[tuple[str | Path, float]], folder: str | Path) -> dict[str, float]:
    """Write `folder`: a copy of the model folder `base` with `adapters`, pairs of path and strength, in its weights.

    Adapters are applied in order, each to the result of those before, as Stability's loader stacks them. Computed in
    fp32 and rounded to the dtype of the base. Returns adapted layer -> relative norm of its change. Raises UserError
    when a file is missing, an adapter does not fit the base, or `folder` is `base`.
    """
    base, folder = Path(base), Path(folder)
    if folder.resolve() == base.resolve():
        raise UserError(f"{folder} is the base itself, which would be overwritten; name another folder")
    if folder.exists():
        raise UserError(f"{folder} exists; name a new folder")
    if not (base / WEIGHTS).is_file():
        raise UserError(f"{base / WEIGHTS} is missing; name a folder with model_config.json and {WEIGHTS}")
    try:
        with safe_open(base / WEIGHTS, "pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata()
    except SafetensorError as error:
        raise UserError(f"{base / WEIGHTS} is not a safetensors file ({error}); fetch it again") from error
    changed: dict[str, Tensor] = {}
    for path, strength in adapters:
        _apply(changed, state, path, strength)
    norms = {}
    for key, weight in changed.items():
        before = state[key].float()
        norms[key] = ((weight - before).norm() / before.norm().clamp(min=1e-30)).item()
        state[key] = weight.to(state[key].dtype)
    with replacing(folder) as temporary:
        shutil.copytree(base, temporary, ignore=lambda _, names: [name for name in names if name == WEIGHTS])
        save_file(state, temporary / WEIGHTS, metadata=metadata)
    return norms


def _apply(changed: dict[str, Tensor], state: dict[str, Tensor], path: str | Path, strength: float) -> None:
    """Add the adapter at `path` to `changed`, fp32 weights by their names in the checkpoint `state`."""
    adapter = read(path)
    for layer, parts in adapter.layers().items():
        key = f"{'conditioner.' if layer.startswith(CONDITIONER) else 'model.model.'}{layer}.weight"
        if key not in state:
            raise UserError(f"{path} does not fit the base: it has no layer '{layer}'; take an adapter of this base")
        original = state[key].float()
        if wrong := misfit(adapter, parts, original.shape):
            raise UserError(f"{path} does not fit the base: in layer '{layer}', {wrong}; take an adapter of this base")
        weight = adapted_weight(
            adapter.kind,
            changed.get(key, original).flatten(1),
            {part: tensor.float() for part, tensor in parts.items()},
            adapter.alpha / adapter.rank,
            strength=strength,
            original=original.flatten(1),
        )
        changed[key] = weight.view_as(original)
