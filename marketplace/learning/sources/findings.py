"""What is wrong with rows: counted all, shown the first few of each kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """Kinds of findings; stable, as --json names them."""

    MISSING = "missing"  # an empty cell, a null
    NOT_A_NUMBER = "not-a-number"
    NOT_FINITE = "not-finite"  # NaN, infinity, or beyond float32
    NOT_TEXT = "not-utf-8"
    LENGTH = "wrong-length"  # of a line of a table, of a list in a cell
    LABEL_RANGE = "label-out-of-range"
    LABEL_UNKNOWN = "unknown-label"
    IMAGE = "broken-image"
    IMAGE_SIZE = "too-large-image"
    STRAY = "not-an-image"
    LINK = "symbolic-link"


MEANING = {
    Kind.MISSING: "a value is missing",
    Kind.NOT_A_NUMBER: "a value is no number",
    Kind.NOT_FINITE: "X holds NaN, infinity or numbers beyond float32",
    Kind.NOT_TEXT: "text is not UTF-8",
    Kind.LENGTH: "a row has another length",
    Kind.LABEL_RANGE: "labels are out of range",
    Kind.LABEL_UNKNOWN: "a label is no number and no known class",
    Kind.IMAGE: "an image cannot be decoded",
    Kind.IMAGE_SIZE: "an image is too large",
    Kind.STRAY: "a file is no image",
    Kind.LINK: "a symbolic link is not followed",
}

FIX = {
    Kind.MISSING: "fill the gaps or leave these rows out",
    Kind.NOT_A_NUMBER: "convert these cells, or choose the columns with --columns",
    Kind.NOT_FINITE: "remove or fill these rows",
    Kind.NOT_TEXT: "save the file as UTF-8",
    Kind.LENGTH: "give every row what the project takes",
    Kind.LABEL_RANGE: "number the classes from 0 as the project does",
    Kind.LABEL_UNKNOWN: "number the classes from 0, or name them with --classes in the project's order",
    Kind.IMAGE: "replace or remove these files",
    Kind.IMAGE_SIZE: "make them smaller",
    Kind.STRAY: "keep nothing but images in the folders of the classes",
    Kind.LINK: "put the files themselves there",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and where: rows count from 1, without a header."""

    file: str
    row: int | None
    column: str | None
    says: str

    @property
    def where(self) -> str:
        """File, row and column in words."""
        parts = [self.file]
        if self.row is not None:
            parts.append(f"row {self.row}")
        if self.column is not None:
            parts.append(f"column {self.column}")
        return ", ".join(parts)


@dataclass
class Findings:
    """All findings of a reading. `keep`: how many of each kind are kept."""

    keep: int = 5
    counts: Counter[Kind] = field(default_factory=Counter)
    first: dict[Kind, list[Finding]] = field(default_factory=dict)

    def add(self, kind: Kind, file: str, row: int | None, column: str | None, says: str) -> None:
        """Notes one."""
        self.counts[kind] += 1
        kept = self.first.setdefault(kind, [])
        if len(kept) < self.keep:
            kept.append(Finding(file, row, column, says))

    def count(self, kind: Kind, more: int) -> None:
        """Counts findings that are not shown."""
        if more:
            self.counts[kind] += more

    def room(self, kind: Kind) -> int:
        """How many more of a kind would be kept."""
        return self.keep - len(self.first.get(kind, ()))

    @property
    def total(self) -> int:
        """Of all kinds."""
        return sum(self.counts.values())

    def __bool__(self) -> bool:
        return bool(self.counts)
