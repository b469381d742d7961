"""Private directories for what a proof or a training is made from, in the clear, and their removal after a kill.

Who uses one holds a lock in it, which the system frees when the process dies: if its lock can be had, it is nobody's.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX = "fairshare-proof-"
_LOCK = "in-use"
_UNLOCKED_S = 3600.0  # a directory without a lock file is about to get one, or is as old as this


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A directory that only this user can read, under the system's temporary one; gone at the end of the block."""
    with tempfile.TemporaryDirectory(prefix=PREFIX) as made:
        directory = Path(made)
        with FileLock(directory / _LOCK):
            yield directory


def clean() -> int:
    """Removes what killed processes of this user have left behind; how many directories that were."""
    removed = 0
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            if directory.is_symlink() or not directory.is_dir() or not _is_left_behind(directory):
                continue
            shutil.rmtree(directory)
        except (PermissionError, FileNotFoundError):
            continue  # another user's, or another process was first
        removed += 1
    return removed


def _is_left_behind(directory: Path) -> bool:
    if not (directory / _LOCK).exists():
        return time.time() - directory.stat().st_mtime > _UNLOCKED_S
    try:
        with FileLock(directory / _LOCK, timeout=0):
            return True
    except Timeout:
        return False
