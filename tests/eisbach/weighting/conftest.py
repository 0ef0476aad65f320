"""A batch for all tests of weightings."""

import pytest
import torch

from tests.eisbach.weighting.ready import BATCH


@pytest.fixture
def batch():
    """output, target, t, mask with one padded sample, and a clean sample of another contrast."""
    draw = torch.Generator().manual_seed(0)
    loudness = torch.linspace(0.2, 3, BATCH)[torch.tensor([3, 0, 5, 1, 4, 2]), None, None]
    output, target, clean = (torch.randn(BATCH, 4, 8, generator=draw) for _ in range(3))
    mask = torch.ones(BATCH, 8, dtype=torch.bool)
    mask[1, 5:] = False
    return output * loudness, target, torch.rand(BATCH, generator=draw), mask, clean
