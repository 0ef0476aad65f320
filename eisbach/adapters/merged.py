"""An adapter merged into the frozen weights while a model only predicts: equal outputs up to rounding, less work."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from eisbach.adapters.layer import ActiveArms
from eisbach.adapters.paired import PairedAdapters


@contextmanager
def merged(adapters: PairedAdapters, arm: str, strength: float = 1.0) -> Iterator[None]:
    """Run the DiT with the adapter of `arm` alone, merged into its weights; afterwards restore every bit.

    `strength` multiplies B A, as Stability's does: DoRA's magnitudes count in full unless it is 0, which is the base.
    The weights are restored from a copy, not by subtraction, so no arm inherits the rounding errors of another. A bf16
    base whose layers round their output keeps its wrapped layers instead: most of an adapter is smaller than half a
    unit in the last place of a bf16 weight, and merging would round it away.
    """
    if strength == 0:
        with without_adapters(adapters):
            yield
        return
    with _scaled(adapters, strength):
        if adapters.rounding == "output" and any(layer.is_mixed for layer in adapters.layers.values()):
            with _active_in_every_thread(adapters, arm):
                yield
        else:
            with _in_the_weights(adapters, arm):
                yield


@contextmanager
def _in_the_weights(adapters: PairedAdapters, arm: str) -> Iterator[None]:
    """The adapter of `arm` in the base's own layers, rounded to their dtype."""
    kept = {name: layer.base_layer.weight.detach().clone() for name, layer in adapters.layers.items()}
    try:
        for layer in adapters.layers.values():
            with torch.no_grad():
                weight = layer.base_layer.weight
                weight.copy_(layer.adapted_weight(adapters.arms[arm]).view_as(weight))
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


@contextmanager
def _scaled(adapters: PairedAdapters, strength: float) -> Iterator[None]:
    """Multiply the change c B A of every layer by `strength`."""
    before = {name: layer.scale for name, layer in adapters.layers.items()}
    for layer in adapters.layers.values():
        layer.scale *= strength
    try:
        yield
    finally:
        for name, layer in adapters.layers.items():
            layer.scale = before[name]
