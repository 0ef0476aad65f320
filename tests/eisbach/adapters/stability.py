"""Adapters made with Stability's own code, as its trainer makes them: the oracle of the adapters' tests."""

from functools import partial

import torch
from stable_audio_tools.models.lora import LoRAParametrization, add_lora, get_lora_state_dict
from stable_audio_tools.models.lora.utils import save_lora_safetensors
from torch import nn


def add(model, kind="dora-rows", rank=4, alpha=6.0, exclude=None, **dropout):
    """Adapt `model` as Stability's trainer does: the DiT's wrapper and the conditioner, every Linear and Conv1d."""
    shared = {"rank": rank, "lora_alpha": alpha, "adapter_type": kind, **dropout}
    config = {
        nn.Linear: {"weight": partial(LoRAParametrization.from_linear, **shared)},
        nn.Conv1d: {"weight": partial(LoRAParametrization.from_conv1d, **shared)},
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        add_lora(model.model, config, exclude=exclude)
        add_lora(model.conditioner, config, exclude=exclude)


def state(model):
    """The trainable tensors, as Stability's trainer collects them for a file."""
    return {**get_lora_state_dict(model.model), **get_lora_state_dict(model.conditioner)}


def fill(model, seed=7, size=0.05):
    """Noise on every trainable tensor, so that the adapter is no longer untrained."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in state(model).values():
            tensor.add_(size * torch.randn(tensor.shape, generator=generator))


def save(model, path, kind="dora-rows", rank=4, alpha=6.0, exclude=None):
    """Write `path` with Stability's saver, which rounds to fp16."""
    settings = {"rank": rank, "alpha": alpha, "adapter_type": kind, "dropout": 0.0, "include": None, "exclude": exclude}
    save_lora_safetensors(state(model), settings, path)
    return path
