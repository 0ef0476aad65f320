"""Exact resume: tensors and small facts in one safetensors file, written whole or not at all."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from eisbach.errors import UserError
from eisbach.files import replacing


def save(path: str | Path, tensors: dict[str, Tensor], facts: dict) -> None:
    """`facts` must survive JSON; tensors keep their dtype, bit for bit."""
    flat = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        save_file(flat, temporary, metadata={"facts": json.dumps(facts)})


def load(path: str | Path) -> tuple[dict[str, Tensor], dict] | None:
    """The saved pair, or None where nothing was saved yet.

    Raises UserError when the file is damaged; a killed run cannot damage it.
    """
    if not Path(path).exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()["facts"])  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError) as error:
        raise UserError(f"the checkpoint {path} is damaged ({error}); delete it to begin again") from error


def same_config(facts: dict, config: dict, path: str | Path) -> None:
    """Refuse to continue a run under other settings. Raises UserError naming each key that differs."""
    before = facts["config"]
    config = json.loads(json.dumps(config))
    changed = sorted(key for key in before.keys() | config.keys() if before.get(key) != config.get(key))
    if changed:
        pairs = ", ".join(f"{key}: {before.get(key)} -> {config.get(key)}" for key in changed)
        raise UserError(f"{path} was begun with other settings ({pairs}); delete it to begin again")


def optimizer_tensors(optimizer: torch.optim.Optimizer, prefix: str) -> dict[str, Tensor]:
    """The optimiser's per-parameter state as flat named tensors."""
    return {
        f"{prefix}{index}.{name}": torch.as_tensor(value)
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], prefix: str) -> None:
    """Inverse of `optimizer_tensors`; the parameter groups keep the settings they were built with."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith(prefix):
            index, key = name.removeprefix(prefix).split(".", 1)
            state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
