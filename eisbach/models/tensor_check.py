"""Comparison of the tensors in a file with those that a model needs."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def mismatches(expected: Mapping[str, Sequence[int]], found: Mapping[str, Sequence[int]]) -> list[str]:
    """One phrase for each tensor that is missing, unknown or of another shape.

    Both arguments map names to shapes. Empty when they are equal; missing tensors come first, then unknown ones.
    """
    missing = [f"'{name}' is missing" for name in sorted(expected.keys() - found.keys())]
    unknown = [f"'{name}' belongs to no part of the model" for name in sorted(found.keys() - expected.keys())]
    changed = [
        f"'{name}' is {tuple(found[name])}, not {tuple(expected[name])}"
        for name in sorted(expected.keys() & found.keys())
        if tuple(found[name]) != tuple(expected[name])
    ]
    return missing + unknown + changed


def shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    """The shapes of named tensors."""
    return {name: tensor.shape for name, tensor in tensors.items()}
