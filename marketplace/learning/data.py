"""A trainer's or owner's data: an .npz with X and y, checked before anything is done with it."""

from __future__ import annotations

import hashlib
import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.learning.tasks import Task

MAX_BYTES = 4 << 30  # of X and y together, unpacked
KEYS = ("X", "y")


@dataclass(frozen=True)
class Dataset:
    """X: float32 [n, features]; y: int64 [n], labels from 0."""

    X: NDArray[np.float32]
    y: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.y)

    def rows(self, index: NDArray[np.integer]) -> Dataset:
        """The rows at `index`."""
        return Dataset(self.X[index], self.y[index])


def load_npz(path: Path, task: Task) -> Dataset:
    """Read an .npz with X [n, features] (float32 or float64) and y [n] (any integers); raises BAD_DATA.

    Nothing is unpickled; shapes, dtypes and sizes are checked from the headers before memory is taken.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            X, y = _members(archive, path)
    except FileNotFoundError as error:
        raise _bad(f"{path}: there is no such file", "name an .npz file with X and y") from error
    except OSError as error:
        raise _bad(f"{path}: {error.strerror or error}", "check the file") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        # zipfile raises the last two for methods and encryption that it cannot read
        raise _bad(
            f"{path} is not a sound .npz file: {error}", "write it with numpy.savez(path, X=X, y=y)"
        ) from error
    return checked(X, y, task, str(path))


def checked(X: NDArray[np.generic], y: NDArray[np.generic], task: Task, name: str) -> Dataset:
    """`X` and `y` as a data set for `task`; raises BAD_DATA saying what in `name` does not fit."""
    if X.dtype.newbyteorder("=") not in (np.float32, np.float64):
        raise _bad(f"{name}: X is {X.dtype}, not float32 or float64", "convert and scale X, best to 0..1")
    if not np.issubdtype(y.dtype, np.integer):
        raise _bad(f"{name}: y is {y.dtype}, not integers", "number the classes from 0")
    if X.ndim != 2 or X.shape[1] != task.features:
        raise _bad(
            f"{name}: X has shape {X.shape}, not (n, {task.features})", "reshape X to the project's features"
        )
    if y.shape != X.shape[:1]:
        raise _bad(f"{name}: y has shape {y.shape}, not {X.shape[:1]}", "give one label for each row of X")
    if len(y) == 0:
        raise _bad(f"{name}: there are no rows", "give some data")
    if not 0 <= int(y.min()) <= int(y.max()) < task.classes:
        raise _bad(
            f"{name}: labels run from {y.min()} to {y.max()}, not within 0..{task.classes - 1}",
            "number the classes from 0 as the project does",
        )
    with np.errstate(over="ignore"):
        features = np.array(X, dtype=np.float32, order="C")  # a copy: torch wants arrays it could write to
    if not np.isfinite(features).all():
        raise _bad(f"{name}: X holds NaN, infinity or numbers beyond float32", "remove or fill these rows")
    return Dataset(features, np.array(y, dtype=np.int64))


def save_npz(path: Path, dataset: Dataset) -> None:
    """Write `dataset` so that `load_npz` reads it; the same data gives the same bytes."""
    with path.open("wb") as file:
        np.savez(file, X=dataset.X, y=dataset.y)


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes: how a spec names its evaluation set."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise _bad(f"{path}: there is no such file", "name an .npz file with X and y") from error
    except OSError as error:
        raise _bad(f"{path}: {error.strerror or error}", "check the file") from error


def _members(archive: zipfile.ZipFile, path: Path) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    names = sorted(info.filename for info in archive.infolist())
    if names != [f"{key}.npy" for key in KEYS]:
        shown = ", ".join(name.removesuffix(".npy") for name in names[:5]) or "nothing"
        raise _bad(f"{path} holds {shown!r}, not X and y", "write it with numpy.savez(path, X=X, y=y)")
    if sum(info.file_size for info in archive.infolist()) > MAX_BYTES:
        raise _bad(f"{path} is over {MAX_BYTES >> 30} GiB unpacked", "give fewer rows")
    arrays = []
    for key in KEYS:
        with archive.open(f"{key}.npy") as member:
            arrays.append(_array(member, archive.getinfo(f"{key}.npy").file_size, key))
    return arrays[0], arrays[1]


def _array(member: IO[bytes], size: int, key: str) -> NDArray[np.generic]:
    """One .npy member of `size` bytes; its header must account for all of them."""
    version = npy.read_magic(member)
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read_header is None:
        raise ValueError(f"{key} has .npy version {version}")
    try:
        shape, fortran, dtype = read_header(member)
    except (TypeError, SyntaxError, RecursionError, MemoryError) as error:
        # the header is a Python literal: a strange one can make its parser fail in these ways
        raise ValueError(f"{key}'s header cannot be read") from error
    if dtype.kind not in "fiub":
        raise ValueError(f"{key} does not hold numbers")
    count = math.prod(shape)
    if member.tell() + count * dtype.itemsize != size:
        raise ValueError(f"{key}'s shape {shape} does not match its size")
    data = np.frombuffer(member.read(size), dtype=dtype)
    if data.size != count:
        raise ValueError(f"{key} is cut short")
    return data.reshape(shape, order="F" if fortran else "C")


def _bad(message: str, hint: str) -> FairshareError:
    return FairshareError(Reason.BAD_DATA, message, hint)
