"""A cache directory that processes share: one lock, and directories that appear complete or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_UNFINISHED = "unfinished"


@contextmanager
def locked(cache: Path) -> Iterator[None]:
    """Holds the cache's lock, which the system frees if the process dies, and clears a dead one's remains."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(cache / _UNFINISHED, ignore_errors=True)
        yield


@contextmanager
def unfinished(cache: Path) -> Iterator[Path]:
    """A directory to fill under the lock, then to `publish` whole or in parts; the rest is removed."""
    parent = cache / _UNFINISHED
    parent.mkdir(exist_ok=True)
    directory = Path(tempfile.mkdtemp(dir=parent))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def publish(source: Path, target: Path) -> None:
    """Renames a finished file or directory to its name; its bytes are on disk before the name is."""
    for path in [source, *source.iterdir()] if source.is_dir() else [source]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)
