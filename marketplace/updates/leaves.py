"""The leaves of a vector as a file (`FSL1`, docs/sketch.md, "Files"): points and hashes of its chunks.

`FSL1`, u32 J little-endian, then J times point.x, point.y (big-endian, 32 bytes each) and the chunk's hash (32 bytes).
The leaves of several vectors are one such file after the other.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from marketplace.errors import FairshareError, Reason
from marketplace.protocol.chunk_tree import Leaf, depth_of
from zk import curve
from zk.curve import Point

MAGIC = b"FSL1"

_HEAD = struct.Struct("<4sI")
_HASH_BYTES = 32
_LEAF_BYTES = curve.SIZE + _HASH_BYTES


def leaves_bytes(chunks: int) -> int:
    """Size of the file for `chunks` leaves: a fetch needs no more. BAD_INPUT where no vector has so many."""
    depth_of(chunks)
    return _HEAD.size + _LEAF_BYTES * chunks


def pack_leaves(leaves: Sequence[Leaf]) -> bytes:
    """The file; BAD_INPUT for no leaves or more than a vector has."""
    depth_of(len(leaves))
    parts = [_HEAD.pack(MAGIC, len(leaves))]
    for leaf in leaves:
        parts += [curve.to_bytes(Point(leaf.x, leaf.y)), leaf.hash]
    return b"".join(parts)


def unpack_leaves(data: bytes, chunks: int) -> tuple[Leaf, ...]:
    """The leaves in a file from anyone: INTEGRITY unless it has exactly `chunks`, with points of the curve."""
    wanted = leaves_bytes(chunks)
    if len(data) != wanted:
        raise _damaged(f"{len(data)} bytes where {wanted} are due")
    magic, count = _HEAD.unpack_from(data)
    if magic != MAGIC or count != chunks:
        raise _damaged(f"it does not start with FSL1 and {chunks}")
    return tuple(_leaf(data[at : at + _LEAF_BYTES]) for at in range(_HEAD.size, wanted, _LEAF_BYTES))


def unpack_all_leaves(data: bytes, chunks: int, count: int) -> list[tuple[Leaf, ...]]:
    """The leaves of `count` vectors, one file after the other; INTEGRITY as `unpack_leaves`."""
    size = leaves_bytes(chunks)
    if len(data) != count * size:
        raise _damaged(f"{len(data)} bytes where {count * size} are due")
    return [unpack_leaves(data[at : at + size], chunks) for at in range(0, len(data), size)]


def _leaf(data: bytes) -> Leaf:
    point = curve.from_bytes(data[: curve.SIZE])
    return Leaf(point.x, point.y, data[curve.SIZE :])


def _damaged(cause: str) -> FairshareError:
    return FairshareError(Reason.INTEGRITY, f"not the leaves that are due: {cause}")
