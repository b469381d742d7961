"""What every format gives: a description of itself, and its rows in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.learning.sources.findings import Findings


@dataclass(frozen=True)
class Description:
    """What a source says of itself before its rows are read. `files`, `rows`: None where only reading tells."""

    format: str
    path: str
    files: int | None
    rows: int | None
    label: str  # column
    features: tuple[str, ...]  # columns; one that holds whole rows stands for all its numbers
    stored_as: str  # in words
    names: tuple[str, ...] = ()  # of the classes, by label, where they have any

    def column(self, feature: int) -> str:
        """The name of a feature, counted from 0."""
        if len(self.features) == 1:
            return f"{self.features[0]}[{feature}]"
        return self.features[feature]


@dataclass(frozen=True)
class Batch:
    """Rows that could be decoded; whether they are in range is the reader's to check (`checking`).

    X: float32 or float64 [n, features]; y: any integers [n]; `place(i)`: file and row of the i-th, rows from 1, None
    where a file is a row.
    """

    X: NDArray[np.floating]
    y: NDArray[np.integer]
    place: Callable[[int], tuple[str, int | None]]


class Source(Protocol):
    """Data in one format, opened: its schema fits the project, its rows are yet to be seen."""

    @property
    def description(self) -> Description: ...

    def batches(self, findings: Findings) -> Iterator[Batch]:
        """All rows in their order; those that cannot be decoded are left out and noted in `findings`.

        Raises BAD_DATA, TOO_LARGE where reading cannot go on.
        """
        ...

    def notes(self) -> tuple[str, ...]:
        """What the user should know of the rows that were read, though nothing is wrong with it."""
        ...


def bad(path: Path | str, what: str, hint: str) -> FairshareError:
    """BAD_DATA about a file, in one line."""
    return FairshareError(Reason.BAD_DATA, f"{path}: {one_line(what)}", hint)


def one_line(text: str, longest: int = 300) -> str:
    """What a library or a file says, as a part of one printable line."""
    line = " ".join(text.split())
    line = "".join(c if c.isprintable() else "?" for c in line)
    return line if len(line) <= longest else line[: longest - 3] + "..."
