"""What is asked of a source: by the project, and by the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BATCH_BYTES = 4 << 20  # of the numbers of one batch, about
MAX_BATCH_ROWS = 65_536

ImageMode = Literal["grey", "rgb"]


@dataclass(frozen=True)
class Wanted:
    """What a project's task takes: numbers of a row, and labels from 0 to `classes` - 1."""

    features: int
    classes: int

    @property
    def batch_rows(self) -> int:
        """Rows of float64 that fill a batch."""
        return max(1, min(MAX_BATCH_ROWS, BATCH_BYTES // (8 * self.features)))


@dataclass(frozen=True)
class Reading:
    """How the user wants its data read; what is None or empty follows from the data and the project."""

    label: str | None = None  # column
    columns: tuple[str, ...] = ()  # of the features, in the project's order
    classes: tuple[str, ...] = ()  # names, in the project's order: the first is label 0
    part: str | None = None  # of a saved dataset dictionary: "train"
    delimiter: str | None = None  # of a table in text
    header: bool = True  # whether such a table's first line names its columns
    image_size: tuple[int, int] | None = None  # width, height
    image_mode: ImageMode | None = None
    divide: float = 1.0  # X is divided by it
    tolerate: int = 0  # findings, whose rows are left out; with more the data is refused
