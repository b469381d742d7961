"""Which columns of a table are features and label, and from Arrow's record batches to rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marketplace.learning.sources import pictures
from marketplace.learning.sources.asked import Reading, Wanted
from marketplace.learning.sources.findings import Findings, Kind
from marketplace.learning.sources.labels import NAMES, number_of
from marketplace.learning.sources.source import Batch, bad, one_line

_SHOWN = 5  # names in a message
_MAX_DEPTH = 8  # of lists in lists


class Layout(Enum):
    """How a row's features are stored."""

    SCALARS = "a column for each feature"
    LIST = "one column of lists"
    IMAGE = "one column of images"


@dataclass(frozen=True)
class Plan:
    """What is read of a table. `names`: of the classes that the file itself numbers."""

    label: str
    features: tuple[str, ...]
    layout: Layout
    frame: pictures.Frame | None
    single: bool  # whether X is float32 as it is stored
    names: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """All of them."""
        return [*self.features, self.label]


def plan(schema: pa.Schema, wanted: Wanted, reading: Reading, path: Path, names: Sequence[str] = ()) -> Plan:
    """Chooses the columns; raises BAD_DATA where they cannot be what the project takes."""
    label, features = choose(schema.names, reading, path)
    kind = plain(schema.field(label).type)
    if not (_is_text(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        raise bad(
            path,
            f"the label column {label!r} is {kind}, not integers or text",
            "convert it, or name another with --label-column",
        )
    layout = _layout(schema, features, path)
    frame = pictures.frame_of(wanted, reading, path) if layout is Layout.IMAGE else None
    if layout is Layout.SCALARS:
        check_width(features, wanted, path)
    if layout is Layout.LIST:
        _check_fixed(schema, features[0], wanted, path)
    single = all(_leaf(plain(schema.field(name).type)) == pa.float32() for name in features)
    return Plan(label, features, layout, frame, single, tuple(names))


def choose(names: Sequence[str], reading: Reading, path: Path) -> tuple[str, tuple[str, ...]]:
    """(label, features) among a table's columns. Raises BAD_DATA."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise bad(path, f"the column {twice[0]!r} is there twice", "give each column a name of its own")
    given = [reading.label] if reading.label is not None else [name for name in NAMES if name in names]
    known = [name for name in given if name in names]
    if len(known) != 1:
        what = (
            f"there is no label column among {_list(names)}" if not known else f"{_list(known)} may be labels"
        )
        raise bad(path, what, "name it with --label-column")
    missing = [name for name in reading.columns if name not in names]
    if missing:
        raise bad(path, f"there is no column {missing[0]!r}", f"columns are {_list(names)}")
    features = reading.columns or tuple(name for name in names if name != known[0])
    if not features or known[0] in features:
        raise bad(path, "no column is left for the features", "name them with --columns")
    return known[0], features


def check_width(features: Sequence[str], wanted: Wanted, path: Path) -> None:
    """BAD_DATA unless there is a column for each feature."""
    if len(features) != wanted.features:
        raise bad(
            path,
            f"it has {len(features)} feature columns ({_list(features)}), not the project's {wanted.features}",
            "choose them with --columns; the project's [task] says what they are",
        )


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


def plain(kind: pa.DataType) -> pa.DataType:
    """What a column holds, below extension types and dictionaries."""
    while True:
        if isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        elif pa.types.is_dictionary(kind):
            kind = kind.value_type
        else:
            return kind


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
    if not _is_text(plain(column.type)):
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
    while _is_list(column.type):
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


def _layout(schema: pa.Schema, features: Sequence[str], path: Path) -> Layout:
    kinds = [plain(schema.field(name).type) for name in features]
    if len(kinds) == 1 and _is_list(kinds[0]) and _is_number(_leaf(kinds[0])):
        return Layout.LIST
    if len(kinds) == 1 and _is_image(kinds[0]):
        return Layout.IMAGE
    for name, kind in zip(features, kinds, strict=True):
        if not _is_number(kind):
            nested = pa.types.is_nested(kind)
            raise bad(
                path,
                f"the column {name!r} is {one_line(str(kind), 60)}, not numbers",
                "take it apart into columns of numbers, or leave it out with --columns"
                if nested
                else "leave it out by naming the others with --columns",
            )
    return Layout.SCALARS


def _check_fixed(schema: pa.Schema, name: str, wanted: Wanted, path: Path) -> None:
    """BAD_DATA where the type itself says that a row has another number of features."""
    kind, length = plain(schema.field(name).type), 1
    while pa.types.is_fixed_size_list(kind):
        length *= kind.list_size
        kind = plain(kind.value_type)
    if not _is_list(kind) and length != wanted.features:
        raise bad(
            path,
            f"the lists of {name!r} have {length} numbers, not the project's {wanted.features}",
            "the project's [task] says what they are",
        )


def _leaf(kind: pa.DataType) -> pa.DataType:
    for _ in range(_MAX_DEPTH):
        if not _is_list(kind):
            break
        kind = kind.value_type
    return kind


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _is_image(kind: pa.DataType) -> bool:
    """Bytes, or what `datasets` makes of an image: a struct of bytes and a path."""
    types = pa.types
    if types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _is_image(kind.field("bytes").type)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_decimal(kind)
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(repr(one_line(name, 40)) for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown or "none"
