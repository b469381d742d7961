"""Parquet, arrow and CSV: the same rows from each of them, whatever they are called and however they are laid out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from marketplace.learning.data import Dataset, save_npz
from marketplace.learning.sources.findings import Kind
from tests.support.data_files import (
    CLASSES,
    COLUMNS,
    FEATURES,
    as_pictures,
    csv_cells,
    digits,
    found,
    image_bytes,
    listed,
    pixels,
    read,
    refusal,
    same,
    table,
    write_arrow,
    write_csv,
    write_parquet,
    write_stream,
)

NAMES = tuple(f"digit {i}" for i in range(CLASSES))


@pytest.fixture(scope="module")
def data() -> Dataset:
    return digits()


def test_every_format_gives_the_same_rows_whatever_the_file_is_called(tmp_path: Path, data: Dataset) -> None:
    save_npz(tmp_path / "a", data)
    write_parquet(tmp_path / "b", table(data), row_group_size=37)
    write_stream(tmp_path / "c", table(data))
    write_arrow(tmp_path / "d.csv", table(data))
    write_csv(tmp_path / "e.parquet", csv_cells(data))
    formats = [read(tmp_path / name) for name in ("a", "b", "c", "d.csv", "e.parquet")]
    for loaded in formats:
        same(loaded, data)
    assert [loaded.description.format for loaded in formats] == ["npz", "parquet", "arrow", "arrow", "csv"]
    assert [loaded.description.rows for loaded in formats] == [len(data), len(data), None, None, None]


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.float32()),
        pa.large_list(pa.float64()),
        pa.list_(pa.float32(), FEATURES),
    ],
    ids=str,
)
def test_a_row_may_be_a_list(tmp_path: Path, data: Dataset, kind: pa.DataType) -> None:
    same(read(write_parquet(tmp_path / "data", listed(data, kind))), data)
    same(read(write_stream(tmp_path / "stream", listed(data, kind))), data)


def test_a_row_may_be_a_list_of_lists_or_a_tensor(tmp_path: Path, data: Dataset) -> None:
    images = [row.reshape(8, 8).tolist() for row in data.X]
    nested = pa.table({"image": pa.array(images, pa.list_(pa.list_(pa.float32()))), "label": data.y})
    same(read(write_parquet(tmp_path / "nested", nested)), data)
    tensor = pa.FixedShapeTensorArray.from_numpy_ndarray(data.X.reshape(-1, 8, 8))
    same(read(write_stream(tmp_path / "tensor", pa.table({"image": tensor, "label": data.y}))), data)


@pytest.mark.parametrize(
    "kind", [pa.uint8(), pa.int64(), pa.float64(), pa.float16(), pa.decimal128(9, 4)], ids=str
)
def test_columns_of_any_numbers_are_read(tmp_path: Path, data: Dataset, kind: pa.DataType) -> None:
    whole = np.rint(data.X * 16)
    columns = {name: pa.array(whole[:, i]).cast(kind) for i, name in enumerate(COLUMNS)}
    path = write_parquet(tmp_path / "data", pa.table({**columns, "label": data.y}))
    same(read(path, divide=16.0), data)


def test_images_in_a_column(tmp_path: Path, data: Dataset) -> None:
    files = [image_bytes(pixels(row)) for row in data.X]
    plain = pa.table({"image": files, "label": data.y})
    same(read(write_parquet(tmp_path / "plain", plain)), as_pictures(data))
    structs = pa.array([{"bytes": file, "path": None} for file in files])
    same(
        read(write_stream(tmp_path / "struct", pa.table({"image": structs, "label": data.y}))),
        as_pictures(data),
    )


def test_an_image_that_is_elsewhere_is_missing(tmp_path: Path, data: Dataset) -> None:
    cells = [
        {"bytes": image_bytes(pixels(data.X[0])), "path": None},
        {"bytes": None, "path": "/etc/passwd"},
        None,
    ]
    path = write_parquet(tmp_path / "data", pa.table({"image": cells, "label": data.y[:3]}))
    assert [row for row, _, _ in found(read(path), Kind.MISSING)] == [2, 3]


@pytest.mark.parametrize("label", ["label", "labels", "y", "target", "class"])
def test_the_usual_names_of_a_label_are_known(tmp_path: Path, data: Dataset, label: str) -> None:
    same(read(write_parquet(tmp_path / "data", table(data, label))), data)


def test_columns_are_chosen_and_ordered_by_the_user(tmp_path: Path, data: Dataset) -> None:
    made = table(data, "what").append_column("name", pa.array(["row"] * len(data)))
    shuffled = made.select(["name", *reversed(COLUMNS), "what"])
    path = write_parquet(tmp_path / "data", shuffled)
    same(read(path, label="what", columns=COLUMNS), data)
    assert "there is no label column" in refusal(path)
    assert "'name' is string" in refusal(path, label="what")


@pytest.mark.parametrize("as_dictionary", [False, True])
def test_classes_may_have_names(tmp_path: Path, data: Dataset, as_dictionary: bool) -> None:
    names = pa.array([NAMES[label] for label in data.y])
    made = table(data).set_column(FEATURES, "label", names.dictionary_encode() if as_dictionary else names)
    path = write_parquet(tmp_path / "data", made)
    same(read(path, classes=NAMES), data)
    loaded = read(path)
    assert found(loaded, Kind.LABEL_UNKNOWN)[0] == (1, "label", f"'{NAMES[data.y[0]]}'")
    assert loaded.survey.findings.counts[Kind.LABEL_UNKNOWN] == len(data)


def test_true_and_false_are_labels(tmp_path: Path, data: Dataset) -> None:
    two = Dataset(data.X, data.y % 2)
    path = write_parquet(tmp_path / "data", table(two).set_column(FEATURES, "label", pa.array(two.y == 1)))
    same(read(path), two)


def test_a_folder_of_tables_is_one_table(tmp_path: Path, data: Dataset) -> None:
    for i, part in enumerate(np.array_split(np.arange(len(data)), 3)):
        write_parquet(tmp_path / f"part-{i}.parquet", table(data.rows(part)))
    (tmp_path / ".crc").write_bytes(b"left by a writer")
    loaded = read(tmp_path, tmp_path.parent)
    same(loaded, data)
    assert (loaded.description.files, loaded.description.rows) == (3, len(data))
    write_parquet(tmp_path / "part-3.parquet", table(data).drop_columns(["x7"]))
    assert "part-3.parquet: its column 'x7' is missing" in refusal(tmp_path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_tables_in_text_of_any_separator(tmp_path: Path, data: Dataset, delimiter: str, ending: str) -> None:
    path = write_csv(tmp_path / "data.csv", csv_cells(data), delimiter=delimiter, lineterminator=ending)
    same(read(path), data)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())  # as spreadsheets do
    same(read(path), data)


def test_a_table_in_text_without_a_header_with_quotes_and_spaces(tmp_path: Path, data: Dataset) -> None:
    cells = [[f" {cell} " for cell in row] for row in csv_cells(data)[1:]]
    path = write_csv(tmp_path / "data.csv", cells, quoting=1)
    same(read(path, header=False, label="f64"), data)


def test_names_beyond_ascii(tmp_path: Path, data: Dataset) -> None:
    names = [f"Größe {i} ☃" for i in range(FEATURES)]
    cells = csv_cells(data)
    classes = [f"Ziffer{'ÄÖÜ' * i}" for i in range(CLASSES)]
    named = [[*row[:-1], classes[int(row[-1])]] for row in cells[1:]]
    path = write_csv(tmp_path / "größe.csv", [[*names, "Klasse"], *named])
    same(read(path, label="Klasse", classes=tuple(classes)), data)


def test_labels_that_a_spreadsheet_wrote(tmp_path: Path, data: Dataset) -> None:
    cells = csv_cells(data)
    path = write_csv(tmp_path / "data.csv", [cells[0], *([*row[:-1], f"{row[-1]}.0"] for row in cells[1:])])
    same(read(path), data)
