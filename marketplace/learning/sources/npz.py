"""numpy's .npz with X and y. Nothing is unpickled; shapes, dtypes and sizes are checked before memory is taken."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.learning.sources.asked import Wanted
from marketplace.learning.sources.findings import Findings
from marketplace.learning.sources.source import Batch, Description

MAGIC = b"PK"
KEYS = ("X", "y")
MAX_HELD_BYTES = 4 << 30  # of X and y together, unpacked, where they are read at once
MAX_PACKING = 500  # times that a large archive may unpack to its size
LARGE = 64 << 20


@dataclass(frozen=True)
class Header:
    """What a .npy says of the array in it."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[np.generic]

    @property
    def count(self) -> int:
        """Numbers in the array."""
        return math.prod(self.shape)


class NpzSource:
    """An .npz, its X read some rows at a time. Raises BAD_DATA, TOO_LARGE."""

    def __init__(self, path: Path, wanted: Wanted) -> None:
        self._path, self._wanted = path, wanted
        with sound(path), zipfile.ZipFile(path) as archive:
            check_members(archive, path, None)
            X, y = (_header_of(archive, key) for key in KEYS)
        check_arrays(X.shape, X.dtype, y.shape, y.dtype, wanted, str(path))
        if X.fortran and X.shape[0] > 1 and X.count * X.dtype.itemsize > LARGE:
            raise _bad(f"{path}: X is stored by columns", "save np.ascontiguousarray(X)")
        self._X = X
        self.description = Description(
            format="npz",
            path=str(path),
            files=1,
            rows=X.shape[0],
            label="y",
            features=("X",),
            stored_as=f"X {X.dtype} {X.shape}; y {y.dtype}",
        )

    def batches(self, findings: Findings) -> Iterator[Batch]:
        """See `Source`. What cannot be decoded in an .npz is no row, but the file: BAD_DATA."""
        file, rows = str(self._path), self._wanted.batch_rows
        with sound(self._path), zipfile.ZipFile(self._path) as archive:
            y = _whole(archive, "y")
            first = 0
            for X in _pieces(archive, "X", rows):
                labels = y[first : first + len(X)]
                yield Batch(X, labels, partial(_place, file, first + 1))
                first += len(X)

    def notes(self) -> tuple[str, ...]:
        """See `Source`."""
        return ()


def read_npz(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """X and y as they are stored, 4 GiB at most. Raises BAD_DATA."""
    with sound(path), zipfile.ZipFile(path) as archive:
        check_members(archive, path, MAX_HELD_BYTES)
        return _whole(archive, "X"), _whole(archive, "y")


def read_named(path: Path, keys: tuple[str, ...], most: int) -> list[NDArray[Any]]:
    """The arrays `keys` of an .npz that holds no others, of `most` bytes unpacked, as stored. Raises BAD_DATA."""
    with sound(path), zipfile.ZipFile(path) as archive:
        if sorted(info.filename for info in archive.infolist()) != sorted(f"{key}.npy" for key in keys):
            raise _bad(
                f"{path} does not hold the {len(keys)} arrays that are due", "give these and no others"
            )
        if sum(info.file_size for info in archive.infolist()) > most:
            raise _bad(f"{path} has over {most} bytes unpacked", "give arrays of the sizes that are due")
        return [_whole(archive, key) for key in keys]


@contextmanager
def sound(path: Path) -> Iterator[None]:
    """What zipfile and numpy raise for an .npz that is not sound, as BAD_DATA."""
    try:
        yield
    except FileNotFoundError as error:
        raise _bad(f"{path}: there is no such file", "name an .npz file with X and y") from error
    except OSError as error:
        raise _bad(f"{path}: {error.strerror or error}", "check the file") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        # zipfile raises the last two for methods and encryption that it cannot read
        raise _bad(
            f"{path} is not a sound .npz file: {error}", "write it with numpy.savez(path, X=X, y=y)"
        ) from error


def check_members(archive: zipfile.ZipFile, path: Path, most: int | None) -> None:
    """BAD_DATA unless it holds X and y alone, of `most` bytes unpacked, and is no zip bomb."""
    names = sorted(info.filename for info in archive.infolist())
    if names != [f"{key}.npy" for key in KEYS]:
        shown = ", ".join(name.removesuffix(".npy") for name in names[:5]) or "nothing"
        raise _bad(f"{path} holds {shown!r}, not X and y", "write it with numpy.savez(path, X=X, y=y)")
    unpacked = sum(info.file_size for info in archive.infolist())
    if most is not None and unpacked > most:
        raise _bad(f"{path} is over {most >> 30} GiB unpacked", "give fewer rows")
    if unpacked > max(LARGE, MAX_PACKING * path.stat().st_size):
        raise _bad(
            f"{path} claims to unpack to over {MAX_PACKING} times its size",
            "save it with numpy.savez, not packed",
        )


def check_arrays(
    X_shape: tuple[int, ...],
    X_dtype: np.dtype[np.generic],
    y_shape: tuple[int, ...],
    y_dtype: np.dtype[np.generic],
    wanted: Wanted,
    name: str,
) -> None:
    """Raises BAD_DATA where arrays of these shapes and dtypes cannot be the project's data."""
    if X_dtype.newbyteorder("=") not in (np.float32, np.float64):
        raise _bad(f"{name}: X is {X_dtype}, not float32 or float64", "convert and scale X, best to 0..1")
    if not np.issubdtype(y_dtype, np.integer):
        raise _bad(f"{name}: y is {y_dtype}, not integers", "number the classes from 0")
    if len(X_shape) != 2 or X_shape[1] != wanted.features:
        raise _bad(
            f"{name}: X has shape {X_shape}, not (n, {wanted.features})",
            "reshape X to the project's features",
        )
    if y_shape != X_shape[:1]:
        raise _bad(f"{name}: y has shape {y_shape}, not {X_shape[:1]}", "give one label for each row of X")
    if X_shape[0] == 0:
        raise _bad(f"{name}: there are no rows", "give some data")


def _header_of(archive: zipfile.ZipFile, key: str) -> Header:
    with archive.open(f"{key}.npy") as member:
        return _header(member, archive.getinfo(f"{key}.npy").file_size, key)


def _whole(archive: zipfile.ZipFile, key: str) -> NDArray[Any]:
    """A whole array."""
    with archive.open(f"{key}.npy") as member:
        size = archive.getinfo(f"{key}.npy").file_size
        header = _header(member, size, key)
        data = np.frombuffer(member.read(size), dtype=header.dtype)
        if data.size != header.count:
            raise ValueError(f"{key} is cut short")
        return data.reshape(header.shape, order="F" if header.fortran else "C")


def _pieces(archive: zipfile.ZipFile, key: str, rows: int) -> Iterator[NDArray[Any]]:
    """An array of two dimensions, `rows` of it at a time."""
    with archive.open(f"{key}.npy") as member:
        header = _header(member, archive.getinfo(f"{key}.npy").file_size, key)
        count, width = header.shape
        if header.fortran:
            whole = _whole(archive, key)
            yield from (whole[i : i + rows] for i in range(0, count, rows))
            return
        for first in range(0, count, rows):
            wanted = min(rows, count - first) * width
            data = member.read(wanted * header.dtype.itemsize)
            if len(data) != wanted * header.dtype.itemsize:
                raise ValueError(f"{key} is cut short")
            yield np.frombuffer(data, dtype=header.dtype).reshape(-1, width)
        member.read(1)  # the end: only there its checksum is looked at


def _header(member: IO[bytes], size: int, key: str) -> Header:
    """The header of a .npy member of `size` bytes, which must account for all of them. Raises ValueError."""
    version = npy.read_magic(member)
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read_header is None:
        raise ValueError(f"{key} has .npy version {version}")
    try:
        shape, fortran, dtype = read_header(member)
    except (TypeError, SyntaxError, TokenError, RecursionError, MemoryError) as error:
        # the header is a Python literal: a strange one can make its parser fail in these ways
        raise ValueError(f"{key}'s header cannot be read") from error
    if dtype.kind not in "fiub":
        raise ValueError(f"{key} does not hold numbers")
    header = Header(shape, fortran, dtype)
    if member.tell() + header.count * dtype.itemsize != size:
        raise ValueError(f"{key}'s shape {shape} does not match its size")
    return header


def _place(file: str, first: int, i: int) -> tuple[str, int | None]:
    return file, first + i


def _bad(message: str, hint: str) -> FairshareError:
    return FairshareError(Reason.BAD_DATA, message, hint)
