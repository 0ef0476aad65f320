"""Reader of TensorFlow's checkpoint format ("tensor bundle") without TensorFlow.

`.index` is a LevelDB table from variable names to BundleEntryProto messages; `.data-00000-of-00001` is the
concatenation of the little-endian tensors. Supported is what musicnn's checkpoint uses: one shard, float32 tensors,
uncompressed blocks.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from eisbach.errors import UserError

MAGIC = 0xDB4775248B80FB57  # LevelDB's
FLOAT32 = 1  # TensorFlow's DataType


def read(folder: str | Path) -> dict[str, np.ndarray]:
    """All float32 variables of the checkpoint in `folder`, by name. Raises UserError when it cannot be read."""
    index, data = Path(folder) / ".index", Path(folder) / ".data-00000-of-00001"
    try:
        table, tensors = index.read_bytes(), data.read_bytes()
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read ({error.strerror}); run `make embedders`") from error
    if len(table) < 48 or struct.unpack("<Q", table[-8:])[0] != MAGIC:
        raise UserError(f"{index} is not the index of a TensorFlow checkpoint; run `make embedders`")
    variables = {}
    for name, message in _entries(table):
        entry = _fields(message)
        if name and entry.get(1) == FLOAT32:
            shape = [_fields(size).get(1, 0) for number, size in _pairs(entry.get(2, b"")) if number == 2]
            start, size = entry.get(4, 0), entry.get(5, 0)
            variables[name] = np.frombuffer(tensors[start : start + size], "<f4").reshape(shape)
    return variables


def _entries(table: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield (key, value) of all data blocks, in order."""
    footer = table[-48:]
    _, position = _varint(footer, 0)  # the metaindex block's offset and size: not needed
    _, position = _varint(footer, position)
    start, position = _varint(footer, position)
    size, _ = _varint(footer, position)
    for _, handle in _block(table, start, size):
        offset, position = _varint(handle, 0)
        yield from _block(table, offset, _varint(handle, position)[0])


def _block(table: bytes, start: int, size: int) -> Iterator[tuple[str, bytes]]:
    """Yield (key, value) of one block. Keys share a prefix with the previous key; restart offsets end the block."""
    block = table[start : start + size]
    if table[start + size] != 0:
        raise UserError("the checkpoint's index is compressed, which is not supported; run `make embedders`")
    end = len(block) - 4 * (1 + struct.unpack("<I", block[-4:])[0])
    key, position = b"", 0
    while position < end:
        shared, position = _varint(block, position)
        added, position = _varint(block, position)
        length, position = _varint(block, position)
        key = key[:shared] + block[position : position + added]
        yield key.decode(errors="replace"), block[position + added : position + added + length]
        position += added + length


def _fields(message: bytes) -> dict[int, int | bytes]:
    return dict(_pairs(message))


def _pairs(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (field number, value) of a protocol buffer message of varints, fixed 32-bit words and byte strings."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        if tag & 7 == 0:
            value, position = _varint(message, position)
        elif tag & 7 == 5:
            value, position = struct.unpack_from("<I", message, position)[0], position + 4
        else:
            length, position = _varint(message, position)
            value, position = message[position : position + length], position + length
        yield tag >> 3, value


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """(value, position after it) of the varint that starts at `position`."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7
