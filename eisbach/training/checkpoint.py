"""The state of a run in one safetensors file: tensors and JSON facts, written completely or not at all."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from eisbach.errors import UserError
from eisbach.pipeline.files import replacing


def due(every: int, step: int, steps: int) -> bool:
    """Whether to act after `step` (from 0) of `steps`: at every `every`-th step and after the last; never where 0."""
    return every > 0 and ((step + 1) % every == 0 or step + 1 == steps)


def save(path: str | Path, tensors: dict[str, Tensor], facts: dict) -> None:
    """Write `tensors`, bit for bit, and `facts`, which must be JSON values. Raises UserError when the disk is full."""
    flat = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        save_file(flat, temporary, metadata={"facts": json.dumps(facts)})


def load(path: str | Path) -> tuple[dict[str, Tensor], dict] | None:
    """The tensors and facts that `save` wrote, or None when there is no file.

    Raises UserError when the file is damaged. A killed run does not damage it.
    """
    if not Path(path).exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()["facts"])  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError) as error:
        raise UserError(f"the checkpoint {path} is damaged ({error}); delete it to start over") from error


def same_config(facts: dict, config: dict, path: str | Path) -> None:
    """Raises UserError, naming each key that differs, unless `config` equals the saved one in `facts["config"]`."""
    before = facts["config"]
    config = json.loads(json.dumps(config))
    changed = sorted(key for key in before.keys() | config.keys() if before.get(key) != config.get(key))
    if changed:
        pairs = ", ".join(f"{key}: {before.get(key)} -> {config.get(key)}" for key in changed)
        raise UserError(f"{path} was started with other settings ({pairs}); restore them or delete it to start over")


def optimizer_tensors(optimizer: torch.optim.Optimizer, prefix: str) -> dict[str, Tensor]:
    """The optimiser's state as tensors named `<prefix><parameter index>.<key>`."""
    return {
        f"{prefix}{index}.{name}": torch.as_tensor(value)
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], prefix: str) -> None:
    """Load what `optimizer_tensors` returned; the parameter groups keep their own settings."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith(prefix):
            index, key = name.removeprefix(prefix).split(".", 1)
            state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
