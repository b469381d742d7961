"""A data set as training takes it, and an owner's .npz with X and y, checked before anything is done with it.

What a trainer brings may have other formats: `marketplace.learning.sources`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.learning.pages import Pages
from marketplace.learning.sources.asked import Wanted
from marketplace.learning.sources.npz import check_arrays, read_npz
from marketplace.learning.tasks import Task

_GATHERED = 8192  # rows of a mapped X that are read at a time


@dataclass(frozen=True)
class Dataset:
    """X: float32 [n, features]; y: int64 [n], labels from 0. `pages`: of a large X, which is mapped from a file."""

    X: NDArray[np.float32]
    y: NDArray[np.int64]
    pages: Pages | None = field(default=None, compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.y)

    def rows(self, index: NDArray[np.integer]) -> Dataset:
        """The rows at `index`, in memory."""
        if self.pages is None:
            return Dataset(self.X[index], self.y[index])
        X = np.empty((len(index), self.X.shape[1]), dtype=np.float32)
        for start in range(0, len(index), _GATHERED):
            part = slice(start, start + _GATHERED)
            X[part] = self.X[index[part]]
            self.touch(_GATHERED)
        return Dataset(X, self.y[index])

    def touch(self, rows: int) -> None:
        """To be called after reading so many rows of X, so that a large X does not stay in memory."""
        if self.pages is not None:
            self.pages.touch(rows)


def load_npz(path: Path, task: Task) -> Dataset:
    """Read an .npz with X [n, features] (float32 or float64) and y [n] (any integers); raises BAD_DATA.

    Nothing is unpickled; shapes, dtypes and sizes are checked from the headers before memory is taken.
    """
    X, y = read_npz(path)
    return checked(X, y, task, str(path))


def checked(X: NDArray[np.generic], y: NDArray[np.generic], task: Task, name: str) -> Dataset:
    """`X` and `y` as a data set for `task`; raises BAD_DATA saying what in `name` does not fit."""
    check_arrays(X.shape, X.dtype, y.shape, y.dtype, Wanted(task.features, task.classes), name)
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


def _bad(message: str, hint: str) -> FairshareError:
    return FairshareError(Reason.BAD_DATA, message, hint)
