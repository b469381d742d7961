"""Files that are written whole or not at all: a reader sees what was there before, or all of what is there now."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

PRIVATE = 0o600


@contextlib.contextmanager
def whole_file(path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """What is written here has the name `path` once the block ends, in a folder that is there; raises OSError.

    Where the block raises, what was there before stays. `mode`: of the new file, less the process's umask.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def write_whole(path: Path, content: bytes | str, mode: int = 0o666) -> None:
    """As `whole_file`; a text is written as UTF-8."""
    with whole_file(path, mode) as file:
        file.write(content.encode("utf8") if isinstance(content, str) else content)
