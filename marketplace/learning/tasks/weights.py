"""Named arrays in a safetensors file, whose bytes may come from anyone: exactly those that are wanted, or BAD_SPEC."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason

Arrays = Mapping[str, NDArray[np.float32]]
Shapes = Mapping[str, tuple[int, ...]]

_MAX_HEADER = 1 << 20  # bytes of names and shapes


def size_of(wanted: Shapes) -> int:
    """Bytes of a file with these arrays, at most."""
    return 8 + _MAX_HEADER + 4 * sum(math.prod(shape) for shape in wanted.values())


def read(content: bytes, wanted: Shapes, name: str) -> Arrays:
    """The arrays of a safetensors file: float32, finite, of these names and shapes, and no others.

    Raises BAD_SPEC, beginning with `name`, for anything else.
    """
    from safetensors import SafetensorError, deserialize

    if len(content) > size_of(wanted):
        raise _bad(name, f"it has {len(content)} bytes, at most {size_of(wanted)} are due")
    try:
        stored = dict(deserialize(content))  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise _bad(name, f"it is no safetensors file: {str(error)[:200]}") from error
    for missing in wanted.keys() - stored.keys():
        raise _bad(name, f"the array {missing} is missing")
    for other in stored.keys() - wanted.keys():
        raise _bad(name, f"there is an array {other[:80]!r} too many")
    return {key: _array(stored[key], shape, f"{name}: {key}") for key, shape in wanted.items()}


def write(arrays: Arrays) -> bytes:
    """The arrays as a safetensors file; the same arrays give the same bytes."""
    from safetensors.numpy import save

    return save({name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()})


def _array(stored: Mapping[str, object], shape: tuple[int, ...], name: str) -> NDArray[np.float32]:
    if stored["dtype"] != "F32" or stored["shape"] != list(shape):
        raise _bad(name, f"it is {stored['dtype']} {stored['shape']}, not F32 {list(shape)}")
    data = stored["data"]
    assert isinstance(data, bytes | bytearray)
    array = np.frombuffer(data, dtype="<f4").reshape(shape)
    if not np.isfinite(array).all():
        raise _bad(name, "it holds NaN or infinity")
    return array


def _bad(name: str, problem: str) -> FairshareError:
    return FairshareError(
        Reason.BAD_SPEC, f"{name}: {problem}", "docs/tasks.md says which arrays the file must hold"
    )
