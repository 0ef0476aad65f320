"""Random generators derived from a seed and a purpose, so that adding a draw does not change any other draw."""

import hashlib
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    import numpy as np  # not needed by the core, which installs with torch alone


def derive(seed: int, *purpose: object) -> int:
    """A seed in [0, 2^63) from a seed and a purpose, such as `derive(3, "noise", step)`; equal on every machine."""
    text = "\x1f".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def torch_generator(seed: int, *purpose: object, device: str = "cpu") -> torch.Generator:
    """A torch generator on `device`, seeded by `derive`."""
    return torch.Generator(device=device).manual_seed(derive(seed, *purpose))


def numpy_generator(seed: int, *purpose: object) -> "np.random.Generator":
    """A numpy generator, seeded by `derive`."""
    import numpy as np

    return np.random.default_rng(derive(seed, *purpose))
