"""What Stability's factory builds of a configuration, to compare configurations that spell one model in two ways."""

import contextlib
import copy
import io
import json
import warnings
from functools import cache

import torch
from stable_audio_tools.models.factory import create_model_from_config
from torch import nn

PLAIN = (bool, int, float, str, type(None))
ENCODER = "model.conditioning.configs.prompt"  # not built: its constructor would fetch the encoder's weights


def is_spelling(config: dict, reference: dict, path: str) -> bool:
    """Whether the factory builds the same model of `reference` with the setting of `config` at the dotted `path`.

    Only an alias (a text for a text) and a setting that `config` leaves out can be; other values count as different.
    """
    given, wanted = _get(config, path), _get(reference, path)
    alias = isinstance(given, str) and isinstance(wanted, str)
    if path.startswith(ENCODER) or wanted is None or not (alias or given is None):
        return False
    changed = copy.deepcopy(reference)
    *parents, last = path.split(".")
    node = changed
    for key in parents:
        node = _child(node, key)
    if alias:
        node[last] = given
    else:
        del node[last]
    return described(json.dumps(changed)) == described(json.dumps(reference))


@cache
def described(text: str) -> tuple[dict, dict] | str:
    """The modules of the model of a JSON configuration, with their types and plain attributes, and its tensors' shapes.

    The text encoder is left out. A configuration that cannot be built is described by its error.
    """
    config = json.loads(text)
    entries = config.get("model", {}).get("conditioning", {}).get("configs", [])
    entries[:] = [entry for entry in entries if entry["id"] != "prompt"]
    try:
        with torch.device("meta"), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            model = create_model_from_config(config)
    except Exception as error:  # the factory raises whatever its parts raise
        return repr(error)
    modules = {name: _attributes(module) for name, module in model.named_modules()}
    return modules, {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def _attributes(owner: object) -> tuple[str, dict]:
    """Type and attributes: plain values, containers of them, functions by name, and objects that are no modules."""
    kept = {
        name: _value(value)
        for name, value in vars(owner).items()
        if not isinstance(value, nn.Module | torch.Tensor) and not name.endswith(("_hooks", "_parameters", "_buffers"))
    }
    kept.pop("_modules", None)
    return type(owner).__qualname__, kept


def _value(value: object) -> object:
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, dict):
        return {str(key): _value(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [_value(each) for each in value]
    if hasattr(value, "__qualname__"):
        return value.__qualname__
    return _attributes(value) if type(value).__module__.startswith("stable_audio_tools") else type(value).__qualname__


def _get(config: dict, path: str) -> object:
    """The value at `path`, or None where there is none."""
    node = config
    for key in path.split("."):
        node = _child(node, key)
        if node is None:
            return None
    return node


def _child(node: object, key: str) -> object:
    if isinstance(node, list):
        return next((entry for entry in node if isinstance(entry, dict) and entry.get("id") == key), None)
    return node.get(key) if isinstance(node, dict) else None
