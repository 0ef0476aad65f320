"""An adapter folded into the frozen weights while a model only predicts: equal up to rounding, a third cheaper."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from eisbach.adapters.peft_arms import PairedAdapters


@contextmanager
def merged(adapters: PairedAdapters, arm: str) -> Iterator[None]:
    """Let `arm` alone shape the forward pass, from within the base's weights; afterwards these are what they were.

    The weights are put back from a copy, not by subtraction, so no arm inherits the rounding of the one before.
    """
    adapters.activate(arm)
    kept = [layer.get_base_layer().weight.detach().clone() for layer in adapters.layers]
    for layer in adapters.layers:
        layer.merge(adapter_names=[arm])
    try:
        yield
    finally:
        for layer, weight in zip(adapters.layers, kept, strict=True):
            layer.unmerge()
            with torch.no_grad():
                layer.get_base_layer().weight.copy_(weight)
