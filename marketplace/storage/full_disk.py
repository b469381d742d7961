"""SQLite on a disk that is full: an error that passes when there is room again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from marketplace.errors import FairshareError, Reason

_WRITE_FAILED = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE)


@contextmanager
def translated_full(path: Path) -> Iterator[None]:
    """STORAGE_FULL where the database at `path` cannot be written to for want of space; what was begun is undone."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode not in _WRITE_FAILED:
            raise
        raise FairshareError(
            Reason.STORAGE_FULL,
            f"{path} cannot be written to: its disk is full",
            "make room on it; the node goes on by itself",
        ) from error
