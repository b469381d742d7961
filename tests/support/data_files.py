"""Real files of every format that a trainer may bring, from the digits; and one way to read them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image

from marketplace.errors import FairshareError, Reason
from marketplace.learning import datasets, tasks
from marketplace.learning.data import Dataset
from marketplace.learning.sources.asked import Reading
from marketplace.learning.sources.findings import Kind
from marketplace.learning.sources.loading import Loaded, load
from marketplace.learning.tasks import Task
from marketplace.spec.sections import TaskSection

FEATURES, CLASSES = 64, 10
COLUMNS = tuple(f"x{i}" for i in range(FEATURES))
TASK: Task = tasks.load(TaskSection(kind="softmax", features=FEATURES, classes=CLASSES))


def digits(rows: int = 120) -> Dataset:
    """The first of the training set: every class is there."""
    return datasets.digits()[0].rows(np.arange(rows))


def read(path: Path, folder: Path | None = None, keep: int = 5, **how: Any) -> Loaded:
    """Reads with options by name; `folder`: for large data."""
    return load(path, TASK, Reading(**how), folder or path.parent, keep)


def same(loaded: Loaded, wanted: Dataset) -> None:
    """Asserts that exactly these rows were read, and nothing was found wrong."""
    assert not loaded.survey.findings, loaded.survey.findings
    assert loaded.dataset is not None
    np.testing.assert_array_equal(loaded.dataset.X, wanted.X)
    np.testing.assert_array_equal(loaded.dataset.y, wanted.y)
    assert (loaded.dataset.X.dtype, loaded.dataset.y.dtype) == (np.float32, np.int64)
    np.testing.assert_array_equal(loaded.survey.counts, np.bincount(wanted.y, minlength=CLASSES))


def refusal(path: Path, reason: Reason = Reason.BAD_DATA, **how: Any) -> str:
    """What is said of data that cannot be the project's at all: one line that names a path, and a hint."""
    with pytest.raises(FairshareError) as caught:
        read(path, **how)
    assert caught.value.reason is reason, caught.value
    assert "\n" not in str(caught.value)
    assert str(path) in caught.value.message
    assert caught.value.hint
    return str(caught.value)


def outcome(path: Path) -> Loaded | Reason:
    """What was read, or why it was refused."""
    try:
        return read(path)
    except FairshareError as error:
        return error.reason


def found(loaded: Loaded, kind: Kind) -> list[tuple[int | None, str | None, str]]:
    """(row, column, what) of the findings of the only kind there is."""
    assert list(loaded.survey.findings.counts) == [kind], loaded.survey.findings
    return [(finding.row, finding.column, finding.says) for finding in loaded.survey.findings.first[kind]]


def table(data: Dataset, label: str = "label") -> pa.Table:
    """A column for each feature."""
    columns = {name: data.X[:, i] for i, name in enumerate(COLUMNS)}
    return pa.table({**columns, label: data.y})


def listed(data: Dataset, kind: pa.DataType) -> pa.Table:
    """One column of lists."""
    return pa.table({"pixels": pa.array(list(data.X), type=kind), "label": data.y})


def write_parquet(path: Path, made: pa.Table, **options: Any) -> Path:
    """As pyarrow writes it."""
    pq.write_table(made, path, **options)
    return path


def write_stream(path: Path, made: pa.Table, rows: int = 50) -> Path:
    """Arrow's streaming format."""
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, made.schema) as writer:
        writer.write_table(made, max_chunksize=rows)
    return path


def write_arrow(path: Path, made: pa.Table, rows: int = 50) -> Path:
    """Arrow's file format."""
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, made.schema) as writer:
        writer.write_table(made, max_chunksize=rows)
    return path


def csv_cells(data: Dataset) -> list[list[str]]:
    """A header and rows, numbers spelled so that they come back the same."""
    rows = [[repr(float(x)) for x in row] + [str(y)] for row, y in zip(data.X, data.y.tolist(), strict=True)]
    return [[*COLUMNS, "label"], *rows]


def write_csv(path: Path, cells: Sequence[Sequence[str]], **options: Any) -> Path:
    """As Python's csv module writes it."""
    with path.open("w", newline="", encoding="utf8") as file:
        csv.writer(file, **options).writerows(cells)
    return path


def pixels(row: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A digit as an image of 8 x 8 bytes."""
    return np.rint(row.reshape(8, 8) * 255).astype(np.uint8)


def image_bytes(array: NDArray[np.uint8], format: str = "PNG") -> bytes:
    """An image file."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format)
    return buffer.getvalue()


def as_pictures(data: Dataset) -> Dataset:
    """The rows as they come back from images of bytes."""
    X = np.stack([pixels(row).reshape(-1).astype(np.float32) / np.float32(255) for row in data.X])
    return Dataset(X, data.y)


def by_class(data: Dataset) -> Dataset:
    """The rows in the order of a folder of images."""
    return data.rows(np.argsort(data.y, kind="stable"))


def write_images(folder: Path, data: Dataset, names: Sequence[str] | None = None) -> Path:
    """A folder for each class; files are named by row."""
    for i, (row, label) in enumerate(zip(data.X, data.y.tolist(), strict=True)):
        below = folder / (names[label] if names else str(label))
        below.mkdir(parents=True, exist_ok=True)
        (below / f"{i:06}.png").write_bytes(image_bytes(pixels(row)))
    return folder
