"""Arrays in .npy and .safetensors files, read row by row with the standard library and torch.

numpy has no bfloat16, and the core has no other dependency than torch; both formats are a header before plain numbers.
"""

import ast
import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from eisbach.errors import UserError

_NPY = {"f2": torch.float16, "f4": torch.float32, "f8": torch.float64, "b1": torch.bool}
_SAFETENSORS = {
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
    "BOOL": torch.bool,
    "U8": torch.uint8,
}
_LONGEST_HEADER = 100_000_000  # bytes, safetensors' own limit


@dataclass(frozen=True)
class Stored:
    """An array in a file; its numbers are read by `rows`. `dtype` is torch's, or the file's name for one not read."""

    path: Path
    name: str  # of the tensor; empty in a .npy file
    shape: tuple[int, ...]
    dtype: torch.dtype | str
    start: int  # byte of the first number

    @property
    def place(self) -> str:
        """The file and, where it holds several arrays, the array's name."""
        return f"{self.path}:{self.name}" if self.name else str(self.path)

    @property
    def floating(self) -> bool:
        return isinstance(self.dtype, torch.dtype) and self.dtype.is_floating_point

    @property
    def row_bytes(self) -> int:
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    def rows(self, first: int, count: int) -> Tensor:
        """Rows `first` to `first + count` of the first axis. Raises UserError when the file is cut short."""
        with self.path.open("rb") as file:
            file.seek(self.start + first * self.row_bytes)
            data = bytearray(file.read(count * self.row_bytes))
        if len(data) < count * self.row_bytes:
            raise UserError(f"{self.place} is cut short: it ends before row {first + count}; write it again")
        return torch.frombuffer(data, dtype=self.dtype).view(count, *self.shape[1:])


def stored(path: Path) -> list[Stored]:
    """The arrays of a file, by its suffix, in the file's order. Raises UserError for a damaged or another file."""
    readers = {".npy": _npy, ".safetensors": _safetensors}
    if path.suffix not in readers:
        raise UserError(f"{path} is neither .npy nor .safetensors; save the latents in one of the two")
    try:
        return readers[path.suffix](path)
    except (ValueError, SyntaxError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise UserError(f"{path} is not a {path.suffix[1:]} file or is damaged; write it again") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check the path and its permissions") from error


def _npy(path: Path) -> list[Stored]:
    """NumPy's format 1 to 3: magic, version, length of the header, a Python dictionary, the numbers."""
    with path.open("rb") as file:
        if file.read(6) != b"\x93NUMPY":
            raise ValueError("no magic")
        major = file.read(2)[0]
        form = "<H" if major == 1 else "<I"
        (length,) = struct.unpack(form, file.read(struct.calcsize(form)))
        header = ast.literal_eval(file.read(min(length, _LONGEST_HEADER)).decode("utf-8" if major > 2 else "latin-1"))
        start = file.tell()
    kind = header["descr"]
    if header["fortran_order"] and len(header["shape"]) > 1:
        raise UserError(f"{path} is in Fortran order; save numpy.ascontiguousarray of it")
    dtype = _NPY.get(kind[1:], kind) if isinstance(kind, str) and kind[0] in "<|" else str(kind)
    return [Stored(path, "", tuple(header["shape"]), dtype, start)]


def _safetensors(path: Path) -> list[Stored]:
    """Length of the header in 8 bytes, a JSON object, the numbers."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(min(length, _LONGEST_HEADER)))
    return [
        Stored(path, name, tuple(facts["shape"]), _SAFETENSORS.get(facts["dtype"], facts["dtype"]), 8 + length + offset)
        for name, facts in header.items()
        if name != "__metadata__"
        for offset in facts["data_offsets"][:1]
    ]
