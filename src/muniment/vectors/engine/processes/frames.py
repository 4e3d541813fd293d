"""What goes between the room and its child: a JSON head and raw arrays, under one length."""

import asyncio
import json
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_LENGTHS = struct.Struct("<II")
_KINDS: dict[str, np.dtype[Any]] = {"f": np.dtype("<f4"), "i": np.dtype("<u4"), "b": np.dtype("u1")}
_ID_BYTES = 16


class Frame(NamedTuple):
    """One request or reply: `head` is JSON, `arrays` are float32, uint32 or bytes."""

    head: dict[str, Any]
    arrays: tuple[Array, ...] = ()


def encode(frame: Frame) -> bytes:
    """A frame as it travels."""
    kinds = [next(k for k, dtype in _KINDS.items() if dtype == array.dtype) for array in frame.arrays]
    shapes = [array.shape for array in frame.arrays]
    head = json.dumps({"head": frame.head, "kinds": kinds, "shapes": shapes}).encode()
    bodies = [np.ascontiguousarray(array).tobytes() for array in frame.arrays]
    return _LENGTHS.pack(len(head), sum(map(len, bodies))) + head + b"".join(bodies)


def decode(data: bytes) -> Frame:
    """The frame that `encode` made."""
    head_bytes, _ = _LENGTHS.unpack_from(data)
    return _parsed(data[_LENGTHS.size : _LENGTHS.size + head_bytes], data[_LENGTHS.size + head_bytes :])


def frame_bytes(file: BinaryIO) -> int | None:
    """How long the frame is that begins here; none when the file ends too soon to tell."""
    lengths = file.read(_LENGTHS.size)
    return _LENGTHS.size + sum(_LENGTHS.unpack(lengths)) if len(lengths) == _LENGTHS.size else None


async def send(writer: asyncio.StreamWriter, frame: Frame) -> None:
    """Write one frame."""
    writer.write(encode(frame))
    await writer.drain()


async def receive(reader: asyncio.StreamReader) -> Frame:
    """Read one frame.

    Raises asyncio.IncompleteReadError at the end of the stream.
    """
    head_bytes, body_bytes = _LENGTHS.unpack(await reader.readexactly(_LENGTHS.size))
    head = await reader.readexactly(head_bytes)
    return _parsed(head, await reader.readexactly(body_bytes))


def _parsed(head: bytes, body: bytes) -> Frame:
    outer = json.loads(head)
    arrays, at = [], 0
    for kind, shape in zip(outer["kinds"], outer["shapes"], strict=True):
        dtype, size = _KINDS[kind], int(np.prod(shape, dtype=np.int64))
        arrays.append(np.frombuffer(body, dtype, size, at).reshape(shape))
        at += size * dtype.itemsize
    return Frame(outer["head"], tuple(arrays))


def pack_ids(ids: Sequence[UUID]) -> Array:
    """Ids as one array of bytes."""
    return np.frombuffer(b"".join(i.bytes for i in ids), np.uint8).reshape(len(ids), _ID_BYTES)


def unpack_ids(array: Array) -> list[UUID]:
    """The ids that `pack_ids` packed."""
    return [UUID(bytes=row.tobytes()) for row in array]


def pack_ragged(rows: Sequence[Array], dtype: type[np.float32 | np.uint32]) -> tuple[Array, Array]:
    """Rows of different lengths as one array, and the length of each."""
    flat = np.concatenate(rows).astype(dtype) if rows else np.empty(0, dtype)
    return flat, np.array([len(row) for row in rows], np.uint32)


def unpack_ragged(flat: Array, lengths: Array) -> list[Array]:
    """The rows that `pack_ragged` packed."""
    return np.split(flat, np.cumsum(lengths)[:-1]) if len(lengths) else []
