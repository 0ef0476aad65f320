"""An adapter merged into the frozen weights while a model only predicts: equal outputs up to rounding, less work."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from eisbach.adapters.layer import ActiveArms, PairedLayer
from eisbach.adapters.low_rank import TINY
from eisbach.adapters.paired import PairedAdapters


@contextmanager
def merged(adapters: PairedAdapters, arm: str) -> Iterator[None]:
    """Run the DiT with the adapter of `arm` alone, merged into its weights; afterwards restore every bit.

    The weights are restored from a copy, not by subtraction, so no arm inherits the rounding errors of another. A bf16
    base keeps its wrapped layers instead: most of an adapter is smaller than half a unit in the last place of a bf16
    weight, and merging would round it away.
    """
    if any(layer.weight.dtype != layer.lora_A[0].dtype for layer in adapters.layers.values()):
        with _active_in_every_thread(adapters, arm):
            yield
        return
    kept = {name: layer.base_layer.weight.detach().clone() for name, layer in adapters.layers.items()}
    try:
        for layer in adapters.layers.values():
            with torch.no_grad():
                weight = layer.base_layer.weight
                weight.copy_(merged_weight(layer, adapters.arms[arm]).view_as(weight))
        with without_adapters(adapters):
            yield
    finally:
        for name, layer in adapters.layers.items():
            with torch.no_grad():
                layer.base_layer.weight.copy_(kept[name])


@contextmanager
def without_adapters(adapters: PairedAdapters) -> Iterator[None]:
    """Run the DiT with its own layers, as before `adapters` were inserted; afterwards insert them again."""
    adapters.remove()
    try:
        yield
    finally:
        adapters.insert()


@contextmanager
def _active_in_every_thread(adapters: PairedAdapters, arm: str) -> Iterator[None]:
    """Activate `arm` in all threads; `activate` does so in one, and samples are made in several."""
    for layer in adapters.layers.values():
        layer.active = ActiveArms((adapters.arms[arm],))
    try:
        yield
    finally:
        for layer in adapters.layers.values():
            layer.active = adapters.active


def merged_weight(layer: PairedLayer, arm: int) -> Tensor:
    """V `[out, in]` of `low_rank`: W + c B A, for DoRA with each row scaled to its magnitude m."""
    weight = layer.weight + layer.scale * layer.lora_B[arm] @ layer.lora_A[arm]
    if layer.lora_magnitude_vector is None:
        return weight
    return weight * (layer.lora_magnitude_vector[arm] / (weight.norm(dim=1) + TINY)).unsqueeze(1)
