"""An adapter folded into the frozen weights while a model only predicts: the same outputs up to rounding, cheaper."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import torch
from torch import Tensor

from eisbach.adapters.low_rank import TINY
from eisbach.adapters.paired import PairedAdapters, PairedLayer


@contextmanager
def merged(adapters: PairedAdapters, arm: str) -> Iterator[None]:
    """Let `arm` alone shape the forward pass, from within the base's own layers; afterwards all is as it was.

    The weights are put back from a copy, not by subtraction, so no arm inherits the rounding of the one before. A base
    in bf16 keeps its adapted layers: folded, most of an adapter is less than half a unit of a weight's last place.
    """
    if any(layer.weight.dtype != layer.lora_A[0].dtype for layer in adapters.layers.values()):
        with _alone(adapters, arm):
            yield
        return
    kept = {name: layer.base_layer.weight.detach().clone() for name, layer in adapters.layers.items()}
    try:
        for layer in adapters.layers.values():
            with torch.no_grad():
                layer.base_layer.weight.copy_(folded(layer, adapters.arms[arm]).view_as(layer.base_layer.weight))
        with bare(adapters):
            yield
    finally:
        for name, layer in adapters.layers.items():
            with torch.no_grad():
                layer.base_layer.weight.copy_(kept[name])


@contextmanager
def bare(adapters: PairedAdapters) -> Iterator[None]:
    """The DiT with its own layers, as it was before `adapters` were put into it."""
    for name, layer in adapters.layers.items():
        adapters.dit.set_submodule(name, layer.base_layer)
    try:
        yield
    finally:
        for name, layer in adapters.layers.items():
            adapters.dit.set_submodule(name, layer)


@contextmanager
def _alone(adapters: PairedAdapters, arm: str) -> Iterator[None]:
    """`arm` active in every thread, where `activate` speaks for one: samples are made side by side."""
    for layer in adapters.layers.values():
        layer.choice = SimpleNamespace(arms=(adapters.arms[arm],))
    try:
        yield
    finally:
        for layer in adapters.layers.values():
            layer.choice = adapters.choice


def folded(layer: PairedLayer, arm: int) -> Tensor:
    """`[out, in]`: W + c B A, for DoRA with its rows brought to the magnitudes m."""
    weight = layer.weight + layer.scale * layer.lora_B[arm] @ layer.lora_A[arm]
    if layer.lora_magnitude_vector is None:
        return weight
    return weight * (layer.lora_magnitude_vector[arm] / (weight.norm(dim=1) + TINY)).unsqueeze(1)
