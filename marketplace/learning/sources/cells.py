"""From Arrow's record batches to rows; a cell that cannot be decoded costs its row and is noted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marketplace.learning.sources import kinds, pictures
from marketplace.learning.sources.asked import Reading, Wanted
from marketplace.learning.sources.columns import Layout, Plan
from marketplace.learning.sources.findings import Findings, Kind
from marketplace.learning.sources.labels import number_of
from marketplace.learning.sources.source import Batch, one_line


def rows_of(
    batch: pa.RecordBatch,
    plan: Plan,
    wanted: Wanted,
    reading: Reading,
    file: str,
    first: int,
    findings: Findings,
) -> Batch:
    """The rows of a record batch that can be decoded; `first`: the number of its first row. Raises ValueError."""
    keep = np.ones(batch.num_rows, dtype=bool)
    y = _labels(_column(batch, plan.label), plan, reading, keep, _Note(findings, file, first, plan.label))
    if plan.layout is Layout.SCALARS:
        X = _scalars(batch, plan, keep, findings, file, first)
    else:
        note = _Note(findings, file, first, plan.features[0])
        column = _column(batch, plan.features[0])
        if plan.frame is None:
            X = _lists(column, plan, wanted, keep, note)
        else:
            X = _images(column, plan.frame, wanted, keep, note)
    kept = np.flatnonzero(keep)
    return Batch(X[kept], y[kept], lambda i: (file, first + int(kept[i])))


@dataclass(frozen=True)
class _Note:
    """Notes what is wrong in one column of a batch."""

    findings: Findings
    file: str
    first: int
    column: str

    def __call__(self, wrong: NDArray[np.bool_], kind: Kind, says: Callable[[int], str]) -> None:
        """Where `wrong`; `says` words it for a row of the batch."""
        places = np.flatnonzero(wrong)
        shown = places[: self.findings.room(kind)]
        for place in shown.tolist():
            self.at(place, kind, says(place))
        self.findings.count(kind, len(places) - len(shown))

    def at(self, row: int, kind: Kind, says: str) -> None:
        """In one row of the batch."""
        self.findings.add(kind, self.file, self.first + row, self.column, says)


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    column = batch.column(name)
    while isinstance(column, pa.ExtensionArray):
        column = column.storage
    return column


def _valid(column: pa.Array) -> NDArray[np.bool_]:
    return np.asarray(column.is_valid().to_numpy(zero_copy_only=False), dtype=bool)


def _labels(
    column: pa.Array, plan: Plan, reading: Reading, keep: NDArray[np.bool_], note: _Note
) -> NDArray[np.integer]:
    valid = _valid(column)
    note(~valid, Kind.MISSING, lambda _: "there is no label")
    keep &= valid
    if not kinds.is_text(kinds.plain(column.type)):
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.int8())
        y: NDArray[np.integer] = column.fill_null(0).to_numpy(zero_copy_only=False)
        return _renumbered(y, plan, reading, keep, note) if plan.names and reading.classes else y
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    spelled = [_text(value) for value in encoded.dictionary.to_pylist()]
    numbers = [number_of(text, reading) for text in spelled]
    index = np.asarray(encoded.indices.fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64)
    if not numbers:
        return np.zeros(len(index), dtype=np.int64)
    unknown = np.array([number is None for number in numbers])[index] & valid
    note(unknown, Kind.LABEL_UNKNOWN, lambda i: f"{one_line(spelled[index[i]], 40)!r}")
    keep &= ~unknown
    return np.array([number or 0 for number in numbers], dtype=np.int64)[index]


def _renumbered(
    y: NDArray[np.integer], plan: Plan, reading: Reading, keep: NDArray[np.bool_], note: _Note
) -> NDArray[np.integer]:
    """The file's own numbers of its classes as the project's, by name."""
    numbers = [number_of(name, reading) for name in plan.names]
    table = np.array([-1 if number is None else number for number in numbers], dtype=np.int64)
    known = (y >= 0) & (y < len(table))
    new = np.where(known, table[np.where(known, y, 0).astype(np.int64)], -1)
    unknown = (new < 0) & keep
    note(unknown, Kind.LABEL_UNKNOWN, lambda i: f"class {y[i]} of the file is not in --classes")
    keep &= ~unknown
    return new


def _scalars(
    batch: pa.RecordBatch, plan: Plan, keep: NDArray[np.bool_], findings: Findings, file: str, first: int
) -> NDArray[np.floating]:
    X = np.empty((batch.num_rows, len(plan.features)), dtype=np.float32 if plan.single else np.float64)
    for j, name in enumerate(plan.features):
        column = _column(batch, name)
        if column.null_count:
            valid = _valid(column)
            _Note(findings, file, first, name)(~valid, Kind.MISSING, lambda _: "there is no value")
            keep &= valid
        X[:, j] = _floats(column, plan.single)
    return X


def _lists(
    column: pa.Array, plan: Plan, wanted: Wanted, keep: NDArray[np.bool_], note: _Note
) -> NDArray[np.floating]:
    valid = _valid(column)
    note(~valid, Kind.MISSING, lambda _: "there is no list")
    leaf, ends = _flat(column)
    lengths = np.diff(ends)
    wrong = valid & (lengths != wanted.features)
    note(wrong, Kind.LENGTH, lambda i: f"it has {lengths[i]} numbers, not {wanted.features}")
    right = valid & ~wrong
    keep &= right
    X = np.zeros((len(column), wanted.features), dtype=np.float32 if plan.single else np.float64)
    if not right.any():
        return X
    numbers = _floats(leaf, plan.single)
    places = ends[:-1][right][:, None] + np.arange(wanted.features)
    X[right] = numbers[places]
    if leaf.null_count:
        holes = np.zeros(len(column), dtype=bool)
        holes[right] = (~_valid(leaf))[places].any(axis=1)
        note(holes, Kind.MISSING, lambda _: "a number of the list is missing")
        keep &= ~holes
    return X


def _flat(column: pa.Array) -> tuple[pa.Array, NDArray[np.int64]]:
    """The numbers of lists in lists, and where each row's begin and end in them, int64 [rows + 1]."""
    ends = np.arange(len(column) + 1, dtype=np.int64)
    while kinds.is_list(column.type):
        lengths = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
        below = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        column = column.flatten()  # without what stands under nulls
        ends = below[ends]
    if len(column) != ends[-1]:
        raise ValueError("its lists overlap or have gaps")
    return column, ends


def _images(
    column: pa.Array, frame: pictures.Frame, wanted: Wanted, keep: NDArray[np.bool_], note: _Note
) -> NDArray[np.float32]:
    if pa.types.is_struct(column.type):
        column = pc.struct_field(column, "bytes")  # null where the struct is
    X = np.zeros((len(column), wanted.features), dtype=np.float32)
    for i in range(len(column)):
        data = column[i].as_py()
        kind, says = Kind.MISSING, "there is no image in the file itself"
        if data is not None:
            try:
                X[i], _ = pictures.decode(data, frame)
                continue
            except pictures.PictureError as error:
                kind, says = error.kind, error.says
        keep[i] = False
        note.at(i, kind, says)
    return X


def _floats(column: pa.Array, single: bool) -> NDArray[np.floating]:
    """A column's numbers, 0 where there is none."""
    kind: Any = np.float32 if single else np.float64
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    if column.null_count:
        column = column.fill_null(0)
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=kind)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
