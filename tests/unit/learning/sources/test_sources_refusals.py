"""Broken and hostile files: each is one clear line, or findings that say file, row and column."""

from __future__ import annotations

import gzip
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from marketplace.errors import Reason
from marketplace.learning.data import Dataset
from marketplace.learning.sources.csv_table import MAX_WRONG_LINES
from marketplace.learning.sources.findings import Kind
from marketplace.learning.sources.loading import Loaded
from tests.support.data_files import (
    COLUMNS,
    csv_cells,
    digits,
    found,
    image_bytes,
    listed,
    outcome,
    pixels,
    read,
    refusal,
    table,
    write_arrow,
    write_csv,
    write_parquet,
    write_stream,
)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return digits(60)


def with_cell(data: Dataset, row: int, column: int, cell: str) -> list[list[str]]:
    """The table in text with another cell; rows from 1."""
    cells = csv_cells(data)
    cells[row][column] = cell
    return cells


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (pickle.dumps({"X": 1}, protocol=4), "pickle"),
        (gzip.compress(b"a,b\n1,2\n"), "gzip"),
        (b"\x89PNG\r\n\x1a\n", "single image"),
        (b"\0\1\2\3" * 100, "neither text"),
        ("label,ä\n1,2\n".encode("utf-16"), "UTF-16"),
        ("label,ä\n1,2\n".encode("latin1"), "not UTF-8"),
        (b"a,b\n1,2\n", "no label column"),
        (b"label,y\n1,2\n", "may be labels"),
        (b"label,a,a\n1,2,3\n", "there twice"),
        (b"label\n1\n", "no column is left"),
        (b"label,a\n1,2\n", "has 1 feature columns ('a'), not the project's 64"),
        (b"PK\x03\x04" + bytes(40), "not a sound .npz"),
        (b"PAR1" + bytes(100), "cannot be read"),
        (b"ARROW1\0\0" + bytes(100), "cannot be read"),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f" + bytes(100), "cannot be read"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_format_has_is_refused_by_name(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "data"
    path.write_bytes(content)
    assert says in refusal(path)


def test_what_is_not_there_or_no_file(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "none")
    assert "no data in this folder" in refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "neither a file nor a folder" in refusal(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    refusal(tmp_path / "loop")


def test_every_cut_of_a_file_is_noticed(tmp_path: Path, data: Dataset) -> None:
    write_parquet(tmp_path / "parquet", table(data))
    write_arrow(tmp_path / "arrow", table(data), 20)
    write_stream(tmp_path / "stream", table(data), 20)
    cut = tmp_path / "cut"
    for name in ("parquet", "arrow", "stream"):
        whole = (tmp_path / name).read_bytes()
        for length in range(16, len(whole) - 16, len(whole) // 40):
            cut.write_bytes(whole[:length])
            came = outcome(cut)
            if came is not Reason.BAD_DATA:  # a stream may end after any batch: then its rows are whole
                assert name == "stream"
                assert isinstance(came, Loaded)
                assert came.survey.rows in (20, 40)


def layouts(data: Dataset) -> dict[str, pa.Table]:
    """Tables of every layout, with offsets, indices and nulls that a changed byte makes wrong."""
    names = pa.array([f"digit {label}" for label in data.y])
    images = [{"bytes": image_bytes(pixels(row)), "path": None} for row in data.X]
    holes = [None if i % 7 == 0 else row.tolist() for i, row in enumerate(data.X)]
    nested = pa.array([row.reshape(8, 8).tolist() for row in data.X], pa.list_(pa.list_(pa.float32())))
    return {
        "scalars": table(data),
        "nested": pa.table({"x": nested, "label": names.dictionary_encode()}),
        "texts": pa.table({"x": pa.array(list(data.X), pa.large_list(pa.float64())), "label": names}),
        "images": pa.table({"image": images, "label": data.y}),
        "holes": pa.table({"x": pa.array(holes, pa.list_(pa.float32(), 64)), "label": data.y}),
    }


@pytest.mark.parametrize("write", [write_parquet, write_arrow, write_stream])
@pytest.mark.parametrize("name", ["scalars", "nested", "texts", "images", "holes"])
def test_changed_bytes_give_an_error_or_rows(
    tmp_path: Path, data: Dataset, name: str, write: Callable[[Path, pa.Table], Path]
) -> None:
    whole = write(tmp_path / "whole", layouts(data.rows(np.arange(20)))[name]).read_bytes()
    generator, changed = np.random.default_rng(0), tmp_path / "changed"
    for _ in range(60):
        content = bytearray(whole)
        for place in generator.integers(0, len(whole), 2).tolist():
            content[place] = int(generator.integers(256))
        changed.write_bytes(content)
        came = outcome(changed)
        assert isinstance(came, Loaded) or came in (Reason.BAD_DATA, Reason.TOO_LARGE)


def test_indices_that_point_nowhere_are_refused(tmp_path: Path, data: Dataset) -> None:
    """A dictionary's indices are data: Arrow reads them as they are."""
    labels = pa.DictionaryArray.from_arrays(
        pa.array([3] * 59 + [7], pa.int8()), pa.array(["0", "1", "2", "3"]), safe=False
    )
    hostile = table(data).set_column(64, "label", labels)
    assert "cannot be read" in refusal(write_stream(tmp_path / "stream", hostile))
    assert "cannot be read" in refusal(write_arrow(tmp_path / "arrow", hostile))


def test_names_that_are_no_text_are_refused(tmp_path: Path, data: Dataset) -> None:
    for write in (write_parquet, write_stream):
        path = write(tmp_path / "data", table(data))
        path.write_bytes(path.read_bytes().replace(b"x33", b"x\xff3"))
        assert "cannot be read" in refusal(path)


def test_an_extension_type_is_never_unpickled(tmp_path: Path, data: Dataset) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "touched",))

    metadata = {
        "ARROW:extension:name": "arrow.py_extension_type",
        "ARROW:extension:metadata": pickle.dumps(Evil()),
    }
    made = table(data)
    fields = [field.with_metadata(metadata) for field in made.schema]
    hostile = made.cast(pa.schema(fields))
    for path in (write_stream(tmp_path / "stream", hostile), write_parquet(tmp_path / "parquet", hostile)):
        read(path)
    assert not (tmp_path / "touched").exists()
    pickle.loads(pickle.dumps(Evil()))  # noqa: S301 it would have
    assert (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda data: pa.table({"x": [{"a": 1.0}] * 60, "label": data.y}), "not numbers"),
        (lambda data: pa.table({"x": [["a"]] * 60, "label": data.y}), "not numbers"),
        (lambda data: pa.table({"x": ["a"] * 60, "label": data.y}), "'x' is string"),
        (lambda data: table(data).drop_columns(["x3"]), "63 feature columns"),
        (lambda data: listed(Dataset(data.X[:, :63], data.y), pa.list_(pa.float32(), 63)), "have 63 numbers"),
        (lambda data: table(data).set_column(64, "label", pa.array(data.y.astype(float))), "is double"),
        (lambda data: table(data).set_column(64, "label", pa.array([[1]] * 60)), "not integers or text"),
    ],
)
def test_a_schema_that_cannot_fit_is_refused_before_any_row(
    tmp_path: Path, data: Dataset, made: object, says: str
) -> None:
    built = made(data)  # type: ignore[operator]
    assert says in refusal(write_parquet(tmp_path / "parquet", built))
    assert says in refusal(write_stream(tmp_path / "stream", built))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_numbers_that_are_none_are_found_by_row_and_column(
    tmp_path: Path, data: Dataset, value: float
) -> None:
    X = data.X.astype(np.float64)
    X[40, 7] = X[41, 9] = value
    columns = {name: X[:, i] for i, name in enumerate(COLUMNS)}
    paths = [
        write_parquet(tmp_path / "parquet", pa.table({**columns, "label": data.y}), row_group_size=7),
        write_csv(tmp_path / "csv", csv_cells(Dataset(X, data.y))),  # type: ignore[arg-type]
    ]
    for path in paths:
        loaded = read(path)
        assert found(loaded, Kind.NOT_FINITE) == [(41, "x7", str(value)), (42, "x9", str(value))]
        assert loaded.survey.rows == 58
    as_lists = pa.table({"pixels": list(X), "label": data.y})
    path = write_stream(tmp_path / "lists", as_lists, 30)
    assert found(read(path), Kind.NOT_FINITE)[0] == (41, "pixels[7]", str(value))


def test_labels_out_of_range_are_found(tmp_path: Path, data: Dataset) -> None:
    y = data.y.astype(np.uint64)
    y[3], y[50] = 10, 2**64 - 1
    path = write_parquet(tmp_path / "data", table(Dataset(data.X, y)))  # type: ignore[arg-type]
    loaded = read(path)
    assert found(loaded, Kind.LABEL_RANGE) == [(4, "label", "10"), (51, "label", "18446744073709551615")]
    assert loaded.survey.rows == 58


def test_nulls_are_found(tmp_path: Path, data: Dataset) -> None:
    made = table(data)
    holes = pa.array([None if i == 20 else float(x) for i, x in enumerate(data.X[:, 5])], pa.float32())
    labels = pa.array([None if i == 30 else int(y) for i, y in enumerate(data.y)])
    made = made.set_column(5, "x5", holes).set_column(64, "label", labels)
    loaded = read(write_parquet(tmp_path / "data", made))
    assert sorted(found(loaded, Kind.MISSING), key=str) == [
        (21, "x5", "there is no value"),
        (31, "label", "there is no label"),
    ]


def test_lists_of_another_length_and_with_holes_are_found(tmp_path: Path, data: Dataset) -> None:
    rows = [row.tolist() for row in data.X]
    rows[10] = rows[10][:-1]
    rows[11] = [*rows[11], 0.0]
    path = write_stream(
        tmp_path / "a", pa.table({"x": pa.array(rows, pa.list_(pa.float32())), "label": data.y})
    )
    assert found(read(path), Kind.LENGTH) == [
        (11, "x", "it has 63 numbers, not 64"),
        (12, "x", "it has 65 numbers, not 64"),
    ]
    rows = [row.tolist() for row in data.X]
    rows[5][3] = None  # type: ignore[call-overload]
    rows[6] = None  # type: ignore[call-overload]
    path = write_stream(
        tmp_path / "b", pa.table({"x": pa.array(rows, pa.list_(pa.float32())), "label": data.y})
    )
    loaded = read(path)
    assert {row for row, _, _ in found(loaded, Kind.MISSING)} == {6, 7}
    np.testing.assert_array_equal(loaded.dataset.X, np.delete(data.X, [5, 6], axis=0))  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("cell", "kind", "says"),
    [
        ("abc", Kind.NOT_A_NUMBER, "'abc'"),
        ("1_000", Kind.NOT_A_NUMBER, "'1_000'"),
        ("1,5", Kind.NOT_A_NUMBER, "'1,5'"),
        ("ä" * 50, Kind.NOT_A_NUMBER, "ä"),
        ("\x1b[2J", Kind.NOT_A_NUMBER, "'?[2J'"),
        ("", Kind.MISSING, "no value"),
        ("  ", Kind.MISSING, "no value"),
    ],
)
def test_a_cell_that_is_no_number_is_found(
    tmp_path: Path, data: Dataset, cell: str, kind: Kind, says: str
) -> None:
    loaded = read(write_csv(tmp_path / "data.csv", with_cell(data, 33, 12, cell)))
    ((row, column, said),) = found(loaded, kind)
    assert (row, column) == (33, "x12")
    assert says in said
    assert loaded.survey.rows == 59


def test_a_cell_that_is_not_utf8_is_found(tmp_path: Path, data: Dataset) -> None:
    path = write_csv(tmp_path / "data.csv", with_cell(data, 33, 12, "MARK"))
    path.write_bytes(path.read_bytes().replace(b"MARK", b"\xff\xfe1"))
    assert [finding[:2] for finding in found(read(path), Kind.NOT_TEXT)] == [(33, "x12")]


@pytest.mark.parametrize("label", ["", "seven", "7.5", "1e0", "--7"])
def test_a_label_that_is_none_is_found(tmp_path: Path, data: Dataset, label: str) -> None:
    loaded = read(write_csv(tmp_path / "data.csv", with_cell(data, 59, 64, label)))
    kind = Kind.LABEL_UNKNOWN if label else Kind.MISSING
    assert found(loaded, kind) == [(59, "label", repr(label))]


def test_lines_of_another_length_are_found_and_later_rows_keep_their_numbers(
    tmp_path: Path, data: Dataset
) -> None:
    cells = with_cell(data, 50, 2, "nan")
    cells[10].append("1")
    cells[11].pop()
    cells[30] = ["1"]
    loaded = read(write_csv(tmp_path / "data.csv", cells))
    findings = loaded.survey.findings
    assert [(f.row, f.says) for f in findings.first[Kind.LENGTH]] == [
        (10, "it has 66 cells, not 65"),
        (11, "it has 64 cells, not 65"),
        (30, "it has 1 cells, not 65"),
    ]
    assert [(f.row, f.column) for f in findings.first[Kind.NOT_FINITE]] == [(50, "x2")]
    assert loaded.survey.rows == 56


def test_a_table_read_with_the_wrong_separator_ends_soon(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("label," + ",".join(COLUMNS) + "\n" + "1;2\n" * (MAX_WRONG_LINES + 10))
    assert "cannot be read" in refusal(path)


def test_a_line_without_end_takes_no_memory(tmp_path: Path, data: Dataset) -> None:
    path = write_csv(tmp_path / "data.csv", csv_cells(data))
    with path.open("ab") as file:
        file.write(b"1" * (8 << 20))
    assert "cannot be read" in refusal(path)


def test_all_are_counted_and_the_first_few_kept(tmp_path: Path, data: Dataset) -> None:
    X = data.X.copy()
    X[:, 0] = np.nan
    loaded = read(write_parquet(tmp_path / "data", table(Dataset(X, data.y))), keep=3)
    assert [row for row, _, _ in found(loaded, Kind.NOT_FINITE)] == [1, 2, 3]
    assert loaded.survey.findings.counts[Kind.NOT_FINITE] == 60
    assert loaded.survey.rows == 0
    assert loaded.dataset is None
