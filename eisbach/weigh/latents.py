"""Latents `[N, C, T]` or `[C, T]` in a file or a folder, in pieces of constant size.

A folder holds .npy and .safetensors files at any depth. A .npy file may have the .json that Stability's
pre_encode_dataset.py writes next to it: `padding_mask`, one number a position, 0 after the end of the clip. Its
silence.npy is no clip and is left out.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from eisbach.errors import UserError
from eisbach.weigh.tensor_files import Stored, stored

SUFFIXES = (".npy", ".safetensors")
SILENCE = "silence.npy"
PIECE = 2**22  # numbers read at once: 32 MiB in float64


@dataclass(frozen=True)
class Piece:
    """Some latents of one array: floats `[n, C, T]`, their mask `[n, T]`, true where valid, or None, and their keys.

    A key identifies a latent in a table of labels: the file's path inside the folder, or its name; with the row's
    number, as in `latents.npy:12`, for an array `[N, C, T]`.
    """

    latents: Tensor
    mask: Tensor | None
    keys: list[str]


def pieces(path: Path) -> Iterator[Piece]:
    """Yield all latents of a file or folder in the order of the names. Raises UserError for every fault of a file."""
    channels = None
    for file in files(path):
        arrays, mask = _latents_of(file)
        for array in arrays:
            if channels is None:
                channels = array.shape[-2]
            if array.shape[-2] != channels:
                raise UserError(
                    f"{array.place} has {array.shape[-2]} channels, the files before it {channels}; "
                    "weigh the latents of one autoencoder at a time"
                )
            yield from _read(array, mask, file.relative_to(path).as_posix() if path.is_dir() else file.name)


def files(path: Path) -> list[Path]:
    """The files of latents at `path`, itself if it is a file. Raises UserError when there is none."""
    if not path.exists():
        raise UserError(f"{path} does not exist; name a .npy or .safetensors file, or a folder of them")
    if path.is_file():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.name != SILENCE)
    if not found:
        raise UserError(f"{path} holds no .npy or .safetensors file; encode your clips into it first")
    return found


def _latents_of(file: Path) -> tuple[list[Stored], Stored | None]:
    """The arrays of latents in a file, and its array `mask`, which belongs to one named `latents`."""
    arrays = stored(file)
    by_name = {array.name: array for array in arrays}
    mask = None
    if "latents" in by_name:  # the archive of this project's pipeline holds other tensors, too
        arrays, mask = [by_name["latents"]], by_name.get("mask")
    if not arrays:
        raise UserError(f"{file} holds no tensor; write the latents into it")
    for array in arrays:
        if not array.floating:
            dtype = str(array.dtype).removeprefix("torch.")
            raise UserError(
                f"{array.place} holds {dtype}; latents are float16, bfloat16, float32 or float64, so pass the "
                "autoencoder's output, not audio or tokens"
            )
        if len(array.shape) not in (2, 3) or 0 in array.shape:
            raise UserError(f"{array.place} has shape {list(array.shape)}; latents are [N, C, T] or [C, T]")
    if mask is not None and mask.shape != (arrays[0].shape[0], arrays[0].shape[-1]):
        raise UserError(f"{mask.place} has shape {list(mask.shape)}; the mask of these latents is [N, T]")
    return arrays, mask


def _read(array: Stored, mask: Stored | None, name: str) -> Iterator[Piece]:
    """The pieces of one array under the name of its file."""
    name = f"{name}:{array.name}" if array.name not in ("", "latents") else name
    if len(array.shape) == 2:
        latents = array.rows(0, array.shape[0])[None]
        yield _checked(Piece(latents, _padding(array, latents), [name]), array)
        return
    step = max(1, PIECE // math.prod(array.shape[1:]))
    for first in range(0, array.shape[0], step):
        count = min(step, array.shape[0] - first)
        valid = None if mask is None else mask.rows(first, count).bool()
        keys = [f"{name}:{row}" for row in range(first, first + count)]
        yield _checked(Piece(array.rows(first, count), valid, keys), array)


def _checked(piece: Piece, array: Stored) -> Piece:
    """The piece. Raises UserError when no position of one of its latents is valid."""
    if piece.mask is not None and not piece.mask.any(1).all():
        key = piece.keys[int((~piece.mask.any(1)).nonzero()[0])]
        raise UserError(f"{array.path}: the mask of {key} has no valid position; leave these latents out")
    return piece


def _padding(array: Stored, latents: Tensor) -> Tensor | None:
    """The `padding_mask` `[1, T]` of a .npy file's description, or None. Raises UserError when it does not fit."""
    description = array.path.with_suffix(".json")
    if array.path.suffix != ".npy" or not description.is_file():
        return None
    try:
        padding = json.loads(description.read_text(encoding="utf-8")).get("padding_mask")
        mask = None if padding is None else torch.tensor(padding, dtype=torch.float32) != 0
    except (OSError, ValueError, AttributeError, TypeError, RuntimeError) as error:
        raise UserError(f"{description} is no JSON object with a list `padding_mask`; write it again") from error
    if mask is not None and mask.shape != latents.shape[-1:]:
        raise UserError(
            f"{description}: padding_mask has shape {list(mask.shape)} for {latents.shape[-1]} positions; encode again"
        )
    return None if mask is None else mask[None]
