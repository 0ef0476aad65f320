"""Every random draw comes from a generator derived from (seed, purpose), so no draw shifts another."""

import hashlib

import numpy as np
import torch


def derive(seed: int, *purpose: object) -> int:
    """A 63-bit seed from a seed and a purpose, e.g. `derive(3, "noise", step)`; equal on every machine."""
    text = "\x1f".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def torch_generator(seed: int, *purpose: object, device: str = "cpu") -> torch.Generator:
    return torch.Generator(device=device).manual_seed(derive(seed, *purpose))


def numpy_generator(seed: int, *purpose: object) -> np.random.Generator:
    return np.random.default_rng(derive(seed, *purpose))
