"""Packed arrays: the plain bytes of updates and models (`FSA1`, docs/protocol.md, "Files on IPFS").

`FSA1`, u8 kind, u8 0, u16 0, u32 length, then the values; all little-endian, nothing may follow.
"""

from __future__ import annotations

import struct
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from marketplace.errors import FairshareError, Reason

MAGIC = b"FSA1"
KIND_UPDATE = 1
KIND_MODEL = 2
MAX_LENGTH = 1 << 24  # of the sketch path; on the exact path K * d <= 100,000

_HEADER = struct.Struct("<4sBBHI")
HEADER_BYTES = _HEADER.size

_Int = TypeVar("_Int", np.int16, np.int32)


def packed_update_bytes(length: int) -> int:
    """Size in bytes of a packed update of `length` values."""
    return HEADER_BYTES + 2 * length


def packed_model_bytes(length: int) -> int:
    """Size in bytes of a packed model of `length` values."""
    return HEADER_BYTES + 4 * length


def pack_update(update: npt.NDArray[np.int16]) -> bytes:
    """Pack an update, int16 [d].

    Raises BAD_INPUT for another dtype or shape, TOO_LARGE beyond `MAX_LENGTH`.
    """
    return _pack(update, KIND_UPDATE, np.dtype(np.int16))


def unpack_update(data: bytes, length: int) -> npt.NDArray[np.int16]:
    """The update, int16 [length], as a copy.

    Raises INTEGRITY unless `data` is exactly such a packed array.
    """
    return _unpack(data, length, KIND_UPDATE, np.int16)


def pack_model(model: npt.NDArray[np.int32]) -> bytes:
    """Pack a model, int32 [d].

    Raises BAD_INPUT for another dtype or shape, TOO_LARGE beyond `MAX_LENGTH`.
    """
    return _pack(model, KIND_MODEL, np.dtype(np.int32))


def unpack_model(data: bytes, length: int) -> npt.NDArray[np.int32]:
    """The model, int32 [length], as a copy.

    Raises INTEGRITY unless `data` is exactly such a packed array.
    """
    return _unpack(data, length, KIND_MODEL, np.int32)


def _pack(values: npt.NDArray[_Int], kind: int, dtype: np.dtype[_Int]) -> bytes:
    if not isinstance(values, np.ndarray) or values.dtype != dtype or values.ndim != 1:
        raise FairshareError(
            Reason.BAD_INPUT,
            f"an array to pack must be one-dimensional {dtype}",
            "convert it with care for the range",
        )
    if not 0 < values.size <= MAX_LENGTH:
        raise FairshareError(
            Reason.TOO_LARGE,
            f"an array of {values.size} values cannot be packed",
            f"between 1 and {MAX_LENGTH} values are possible",
        )
    header = _HEADER.pack(MAGIC, kind, 0, 0, values.size)
    little_endian = values.astype(dtype.newbyteorder("<"), copy=False)
    return b"".join((header, np.ascontiguousarray(little_endian).data))  # one copy: a model has up to 64 MB


def _unpack(data: bytes, length: int, kind: int, dtype: type[_Int]) -> npt.NDArray[_Int]:
    if not 0 < length <= MAX_LENGTH:
        raise FairshareError(
            Reason.TOO_LARGE, f"no packed array has {length} values", f"the limit is {MAX_LENGTH}"
        )
    wanted = HEADER_BYTES + length * np.dtype(dtype).itemsize
    if len(data) != wanted:
        raise _damaged(f"{len(data)} bytes where {wanted} are due")
    magic, found_kind, zero, zeros, found_length = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise _damaged("it does not start with FSA1")
    if found_kind != kind:
        raise _damaged(f"it is of kind {found_kind}, not {kind}")
    if zero or zeros:
        raise _damaged("its reserved bytes are not zero")
    if found_length != length:
        raise _damaged(f"it states {found_length} values, not {length}")
    little_endian = np.frombuffer(data, dtype=np.dtype(dtype).newbyteorder("<"), offset=HEADER_BYTES)
    return little_endian.astype(dtype)


def _damaged(cause: str) -> FairshareError:
    return FairshareError(Reason.INTEGRITY, f"not the packed array that is due: {cause}")
