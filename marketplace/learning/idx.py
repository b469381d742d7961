"""The IDX format of the MNIST family, gzipped (http://yann.lecun.com/exdb/mnist/), unsigned bytes only."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

UNSIGNED_BYTE = 0x08
MAX_BYTES = 1 << 28


def read(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The array in an IDX file; raises ValueError where it is not sound, OSError where it cannot be read."""
    try:
        with gzip.open(path) as file:
            header = file.read(4 + 4 * dimensions)
            if len(header) != 4 + 4 * dimensions or header[:4] != bytes([0, 0, UNSIGNED_BYTE, dimensions]):
                raise ValueError(f"not an IDX file of bytes in {dimensions} dimensions")
            shape = tuple(int.from_bytes(header[i : i + 4], "big") for i in range(4, len(header), 4))
            size = math.prod(shape)
            if size > MAX_BYTES:
                raise ValueError(f"{size} bytes are over the limit of {MAX_BYTES}")
            data = file.read(size + 1)  # one more: nothing may follow
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"not a sound gzip file: {error}") from error
    if len(data) != size:
        raise ValueError(f"{size} bytes are announced, and these are not what follows")
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)
