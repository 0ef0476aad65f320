"""TensorFlow's checkpoint format ("tensor bundle"), read without TensorFlow: names, shapes, raw little-endian tensors.

`.index` is a LevelDB table from variable names to BundleEntryProto messages; `.data-00000-of-00001` holds the tensors
end to end. Only what the checkpoints in packages use is read: one shard, float32, uncompressed blocks.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from eisbach.errors import UserError

MAGIC = 0xDB4775248B80FB57  # LevelDB's
FLOAT32 = 1  # TensorFlow's DataType


def read(folder: str | Path) -> dict[str, np.ndarray]:
    """All float32 variables of the checkpoint in `folder`, by name. Raises UserError when it is not one."""
    index, data = Path(folder) / ".index", Path(folder) / ".data-00000-of-00001"
    try:
        table, tensors = index.read_bytes(), data.read_bytes()
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read ({error.strerror}); run `make embedders`") from error
    if len(table) < 48 or struct.unpack("<Q", table[-8:])[0] != MAGIC:
        raise UserError(f"{index} is no TensorFlow checkpoint; run `make embedders`")
    variables = {}
    for name, message in _entries(table):
        entry = _fields(message)
        if name and entry.get(1) == FLOAT32:
            shape = [_fields(size).get(1, 0) for number, size in _pairs(entry.get(2, b"")) if number == 2]
            start, size = entry.get(4, 0), entry.get(5, 0)
            variables[name] = np.frombuffer(tensors[start : start + size], "<f4").reshape(shape)
    return variables


def _entries(table: bytes) -> Iterator[tuple[str, bytes]]:
    """(key, value) of every data block, in order."""
    footer = table[-48:]
    _, place = _varint(footer, 0)  # the metaindex block's offset and size: not needed
    _, place = _varint(footer, place)
    start, place = _varint(footer, place)
    size, _ = _varint(footer, place)
    for _, handle in _block(table, start, size):
        offset, place = _varint(handle, 0)
        yield from _block(table, offset, _varint(handle, place)[0])


def _block(table: bytes, start: int, size: int) -> Iterator[tuple[str, bytes]]:
    """Entries share a prefix with the one before; the block ends with restart offsets and their count."""
    block = table[start : start + size]
    if table[start + size] != 0:
        raise UserError("the checkpoint's index is compressed, which is not read here; run `make embedders`")
    end = len(block) - 4 * (1 + struct.unpack("<I", block[-4:])[0])
    key, place = b"", 0
    while place < end:
        shared, place = _varint(block, place)
        added, place = _varint(block, place)
        length, place = _varint(block, place)
        key = key[:shared] + block[place : place + added]
        yield key.decode(errors="replace"), block[place + added : place + added + length]
        place += added + length


def _fields(message: bytes) -> dict[int, int | bytes]:
    return dict(_pairs(message))


def _pairs(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, value) of a protocol buffer message: varints, fixed 32-bit words and byte strings."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        if tag & 7 == 0:
            value, place = _varint(message, place)
        elif tag & 7 == 5:
            value, place = struct.unpack_from("<I", message, place)[0], place + 4
        else:
            length, place = _varint(message, place)
            value, place = message[place : place + length], place + length
        yield tag >> 3, value


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7
