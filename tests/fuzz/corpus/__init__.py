"""Inputs to start from: what the targets' `seeds` make, and each input that once found a bug (`found-*`).

`python -m tests.fuzz.corpus` writes the former anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.target import Target

FOLDER = Path(__file__).parent
_SEED, _FOUND = "seed", "found"


def of(target: Target) -> Iterator[tuple[Path, bytes]]:
    """A target's inputs, by file, in the order of their names."""
    for path in sorted((FOLDER / target.name).iterdir()):
        yield path, path.read_bytes()


def renew(target: Target) -> None:
    """Writes the seeds in place of those that are there."""
    folder = FOLDER / target.name
    folder.mkdir(exist_ok=True)
    for old in folder.glob(f"{_SEED}-*"):
        old.unlink()
    for data in target.seeds():
        (folder / f"{_SEED}-{hashlib.sha256(data).hexdigest()[:12]}").write_bytes(data)
