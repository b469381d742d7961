"""Rows of float32 mapped from a file, of which little stays in memory."""

from __future__ import annotations

import mmap

import numpy as np
from numpy.typing import NDArray

RESIDENT_BYTES = 64 << 20  # that may be in memory of a mapped file before its pages are given back
_AROUND = (
    64 << 10
)  # bytes that Linux maps around the page of a row that is read, where the disk's cache has them


class Pages:
    """`rows` rows of `features` float32 from an open file's beginning. `array`: float32 [rows, features].

    Writing to it would change this process's copy alone; nobody does.
    """

    def __init__(self, file: int, rows: int, features: int) -> None:
        self._map = mmap.mmap(file, 4 * rows * features, access=mmap.ACCESS_COPY)
        self._row = _AROUND + 4 * features
        self._touched = 0
        self.array: NDArray[np.float32] = np.frombuffer(self._map, dtype=np.float32).reshape(rows, features)
        if hasattr(mmap, "MADV_RANDOM"):
            self._map.madvise(mmap.MADV_RANDOM)

    def touch(self, rows: int) -> None:
        """Says that so many rows were read; now and then all pages are given back to the system."""
        self._touched += rows * self._row
        if self._touched > RESIDENT_BYTES and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)
            self._touched = 0
