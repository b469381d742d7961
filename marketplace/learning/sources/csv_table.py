"""Tables in text: comma, semicolon, tab or bar separated, UTF-8, a block of the file at a time.

Cells are read as bytes and turned into numbers here, since Arrow says of a cell that is none neither row nor column.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv as pacsv

from marketplace.learning.sources.asked import Reading, Wanted
from marketplace.learning.sources.columns import check_width, choose
from marketplace.learning.sources.findings import Findings, Kind
from marketplace.learning.sources.labels import number_of
from marketplace.learning.sources.source import Batch, Description, bad, one_line
from marketplace.learning.sources.tables import sound

DELIMITERS = (",", ";", "\t", "|")
MAX_WRONG_LINES = 10_000  # after which the file is not what it is taken for

_HEAD = 64 << 20  # bytes of a first line, at most: a million columns
_BLOCK = 1 << 20
_CELL = 32  # bytes, about the most a number takes


class CsvSource:
    """A table in text. Raises BAD_DATA where its first line cannot be that of the project's data."""

    def __init__(self, path: Path, wanted: Wanted, how: Reading) -> None:
        self._path, self._wanted, self._how = path, wanted, how
        line = _first_line(path)
        self._delimiter = how.delimiter or max(DELIMITERS, key=line.count)
        try:
            (cells,) = csv.reader([line], delimiter=self._delimiter)
        except (csv.Error, ValueError, TypeError) as error:
            raise bad(path, f"its first line cannot be read: {error}", "name --delimiter") from error
        self._names = [cell.strip() for cell in cells] if how.header else [f"f{i}" for i in range(len(cells))]
        label, features = choose(self._names, how, path)
        check_width(features, wanted, path)
        self.description = Description(
            format="csv",
            path=str(path),
            files=1,
            rows=None,
            label=label,
            features=features,
            stored_as=f"{len(self._names)} columns of text, separated by {self._delimiter!r}",
            names=how.classes,
        )

    def batches(self, findings: Findings) -> Iterator[Batch]:
        """See `Source`."""
        lines = _Lines(self._path, int(self._how.header), findings)
        with (
            sound(self._path),
            pa.OSFile(str(self._path)) as file,  # a path's ending would say whether it is packed
            self._open(file, lines) as table,
        ):
            row = 0
            for block in table:
                for start in range(0, block.num_rows, self._wanted.batch_rows):
                    part = block.slice(start, self._wanted.batch_rows)
                    yield self._rows(part, lines.of(row, part.num_rows), findings)
                    row += part.num_rows

    def notes(self) -> tuple[str, ...]:
        """See `Source`."""
        return ()

    def _open(self, file: pa.NativeFile, lines: _Lines) -> pacsv.CSVStreamingReader:
        columns = [*self.description.features, self.description.label]
        return pacsv.open_csv(
            file,
            read_options=pacsv.ReadOptions(
                use_threads=False,  # or wrong lines come without their number
                block_size=max(_BLOCK, 2 * _CELL * len(self._names)),
                column_names=self._names,
                skip_rows=int(self._how.header),
            ),
            parse_options=pacsv.ParseOptions(delimiter=self._delimiter, invalid_row_handler=lines.wrong),
            convert_options=pacsv.ConvertOptions(
                include_columns=columns,
                column_types={name: pa.binary() for name in columns},
                strings_can_be_null=False,
            ),
        )

    def _rows(self, part: pa.RecordBatch, rows: NDArray[np.int64], findings: Findings) -> Batch:
        file, label = str(self._path), self.description.label
        keep = np.ones(part.num_rows, dtype=bool)
        X = np.zeros((part.num_rows, self._wanted.features), dtype=np.float64)
        for j, name in enumerate(self.description.features):
            X[:, j] = _numbers(part.column(name), _Column(name, file, rows, keep, findings))
        y = _labels(part.column(label), self._how, _Column(label, file, rows, keep, findings))
        kept = np.flatnonzero(keep)
        return Batch(X[kept], y[kept], lambda i: (file, int(rows[kept[i]])))


@dataclass(frozen=True)
class _Column:
    """Where the cells of a column are. `rows`: their numbers; `keep`: which rows are sound so far."""

    name: str
    file: str
    rows: NDArray[np.int64]
    keep: NDArray[np.bool_]
    findings: Findings

    def wrong(self, i: int, kind: Kind, says: str) -> None:
        """Notes the i-th cell, and leaves its row out."""
        self.keep[i] = False
        self.findings.add(kind, self.file, int(self.rows[i]), self.name, says)


class _Lines:
    """Lines with the wrong number of cells: noted, left out, and counted, so that later rows keep their numbers."""

    def __init__(self, path: Path, header: int, findings: Findings) -> None:
        self._path, self._header, self._findings = path, header, findings
        self._numbers: list[int] = []

    def wrong(self, line: pacsv.InvalidRow) -> str:
        """Arrow's handler of such a line."""
        row = line.number - self._header if line.number is not None else None
        if row is not None:
            self._numbers.append(row)
        says = f"it has {line.actual_columns} cells, not {line.expected_columns}"
        self._findings.add(Kind.LENGTH, str(self._path), row, None, says)
        return "skip" if self._findings.counts[Kind.LENGTH] <= MAX_WRONG_LINES else "error"

    def of(self, first: int, count: int) -> NDArray[np.int64]:
        """The numbers, from 1, of `count` rows that follow `first` rows that were read."""
        wrong = np.array(self._numbers, dtype=np.int64)
        rows = np.arange(first + 1, first + 1 + count, dtype=np.int64)
        # The i-th wrong line has `wrong[i] - i - 1` good ones before it.
        good_before = wrong - np.arange(len(wrong)) - 1
        return rows + np.searchsorted(good_before, rows - 1, side="right")


def _numbers(cells: pa.BinaryArray, column: _Column) -> NDArray[np.float64]:
    """A column's numbers; at once where all are, else cell by cell."""
    try:
        text = pc.utf8_trim_whitespace(cells.cast(pa.string()))
        return np.asarray(text.cast(pa.float64()).to_numpy(zero_copy_only=False))
    except pa.ArrowInvalid:
        numbers = np.zeros(len(cells), dtype=np.float64)
    for i, cell in enumerate(cells.to_pylist()):
        kind, says = _number(cell)
        if kind is None:
            numbers[i] = float(says)
        else:
            column.wrong(i, kind, says)
    return numbers


def _number(cell: bytes) -> tuple[Kind | None, str]:
    """A cell's text where it is a number, else what is wrong with it."""
    try:
        text = cell.decode("utf8").strip()
    except UnicodeDecodeError:
        return Kind.NOT_TEXT, one_line(repr(cell[:40]), 60)
    if not text:
        return Kind.MISSING, "there is no value"
    try:
        if "_" in text:  # that Python takes for a number with it
            raise ValueError
        float(text)
    except ValueError:
        return Kind.NOT_A_NUMBER, repr(one_line(text, 40))
    return None, text


def _labels(cells: pa.BinaryArray, how: Reading, column: _Column) -> NDArray[np.int64]:
    """A column's labels, 0 where there is none; each spelling is looked at once."""
    encoded = cells.dictionary_encode()
    numbers: list[int] = []
    problems: dict[int, tuple[Kind, str]] = {}  # by spelling
    for spelling, cell in enumerate(encoded.dictionary.to_pylist()):
        text = cell.decode("utf8", errors="replace")
        number = number_of(text, how)
        numbers.append(number or 0)
        if number is None:
            kind = Kind.LABEL_UNKNOWN if text.strip() else Kind.MISSING
            problems[spelling] = (kind, repr(one_line(text, 40)))
    spellings = encoded.indices.to_numpy(zero_copy_only=False)
    if problems:
        for i in np.flatnonzero(np.isin(spellings, list(problems))).tolist():
            column.wrong(i, *problems[int(spellings[i])])
    labels: NDArray[np.int64] = np.array(numbers, dtype=np.int64)[spellings]
    return labels


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            line = file.readline(_HEAD + 1)
    except OSError as error:
        raise bad(path, error.strerror or str(error), "check the file") from error
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise bad(path, "it is UTF-16", "save it as UTF-8")
    if len(line) > _HEAD or b"\0" in line:
        raise bad(path, "it is neither text nor any format known here", "docs/data.md lists the formats")
    try:
        return line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise bad(path, "its first line is not UTF-8", "save it as UTF-8") from error
