"""From a source's rows to what training takes: in memory where they are few, else in a file that is mapped.

The file has no name: it is private to this process, and gone with it. Of it no more is in memory than training touches
between two calls of `Dataset.touch`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset
from marketplace.learning.pages import Pages
from marketplace.learning.sources.asked import Wanted

IN_MEMORY = 64 << 20  # bytes of X that are simply kept
MAX_ROWS = 50_000_000  # their labels and the order of batches take 16 bytes of memory each
MAX_STORED = 64 << 30  # bytes of X
_PIECE = 64 << 10  # bytes written at a time: Linux caches what is written at once, and maps it, as one
_SPARE = 1 << 30  # bytes of the disk that are left to others

Rows = tuple[NDArray[np.float32], NDArray[np.int64]]


def hold(batches: Iterable[Rows], wanted: Wanted, folder: Path, in_memory: int = IN_MEMORY) -> Dataset | None:
    """All rows as one data set, None where there are none; X of over `in_memory` bytes is a nameless file in `folder`.

    Raises TOO_LARGE beyond `MAX_ROWS`, `MAX_STORED` or the disk's free space, BAD_INPUT where `folder` cannot be used.
    """
    kept: list[NDArray[np.float32]] = []
    labels: list[NDArray[np.int64]] = []
    size = rows = 0
    file: IO[bytes] | None = None
    try:
        for X, y in batches:
            if not len(y):
                continue
            size, rows = size + X.nbytes, rows + len(y)
            if rows > MAX_ROWS or size > MAX_STORED:
                raise FairshareError(
                    Reason.TOO_LARGE,
                    f"there are over {MAX_ROWS:,} rows or {MAX_STORED >> 30} GiB of numbers",
                    "give fewer rows",
                )
            labels.append(y)
            kept.append(X)
            if file is None and size > in_memory:
                file = _nameless(folder)
            if file is not None:
                for piece in kept:
                    _write(file, piece, folder)
                kept.clear()
        if not rows:
            return None
        y = np.concatenate(labels)
        if file is None:
            return Dataset(np.concatenate(kept), y)
        file.flush()
        pages = Pages(file.fileno(), rows, wanted.features)
        return Dataset(pages.array, y, pages)
    finally:
        if file is not None:
            file.close()


def _nameless(folder: Path) -> IO[bytes]:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return tempfile.TemporaryFile(dir=folder)
    except OSError as error:
        raise FairshareError(
            Reason.BAD_INPUT,
            f"{folder}: large data is unpacked there, and that failed: {error.strerror}",
            "name a writable folder on a disk with --cache-dir",
        ) from error


def _write(file: IO[bytes], X: NDArray[np.float32], folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < X.nbytes + _SPARE:
        raise FairshareError(
            Reason.TOO_LARGE,
            f"{folder}: {free >> 20} MiB are free, too few to unpack this data",
            "make room, or name a folder on a larger disk with --cache-dir",
        )
    piece = max(1, _PIECE // X[:1].nbytes)
    try:
        for start in range(0, len(X), piece):
            file.write(X[start : start + piece].data)
    except OSError as error:
        raise FairshareError(
            Reason.TOO_LARGE, f"{folder}: unpacking this data there failed: {error.strerror}", "make room"
        ) from error
