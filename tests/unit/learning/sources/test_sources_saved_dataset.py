"""What `save_to_disk` of the real `datasets` wrote (`data/make.py`), read without that package."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.data_files import as_pictures, digits, read, refusal, same

WRITTEN = Path(__file__).parent / "data"
ROWS = 10  # of each


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    shutil.copytree(WRITTEN / "floats", tmp_path / "saved")
    return tmp_path / "saved"


def change(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_lists_of_numbers(tmp_path: Path) -> None:
    loaded = read(WRITTEN / "floats", tmp_path)
    same(loaded, digits(ROWS))
    assert loaded.description.format == "saved dataset"
    assert loaded.description.files == 2
    assert "datasets" not in sys.modules


def test_arrays_of_two_dimensions_of_bytes(tmp_path: Path) -> None:
    same(read(WRITTEN / "arrays", tmp_path, divide=255.0), as_pictures(digits(ROWS)))


def test_images_in_a_dictionary_of_parts(tmp_path: Path) -> None:
    whole = as_pictures(digits(2 * ROWS))
    same(read(WRITTEN / "images", tmp_path), whole.rows(np.arange(ROWS)))
    same(read(WRITTEN / "images", tmp_path, part="test"), whole.rows(np.arange(ROWS, 2 * ROWS)))
    assert "it has no part 'dev'; its parts are train, test" in refusal(WRITTEN / "images", part="dev")


def test_class_names_of_the_file_are_mapped_to_the_projects(tmp_path: Path) -> None:
    reverse = tuple(f"digit {i}" for i in reversed(range(10)))
    loaded = read(WRITTEN / "images", tmp_path, classes=reverse)
    np.testing.assert_array_equal(loaded.dataset.y, 9 - digits(ROWS).y)  # type: ignore[union-attr]
    unknown = read(WRITTEN / "images", tmp_path, classes=("digit 0",))
    assert unknown.survey.rows == int((digits(ROWS).y == 0).sum())
    assert not unknown.survey.is_sound


@pytest.mark.parametrize(
    "files",
    [
        [],
        "data.arrow",
        [{"filename": "../floats/data-00000-of-00001.arrow"}],
        [{"filename": "/etc/passwd"}],
        [{"filename": 7}],
        [7],
    ],
)
def test_files_are_named_by_name_alone(saved: Path, files: object) -> None:
    change(saved / "state.json", _data_files=files)
    assert "by name alone" in refusal(saved)


def test_a_file_that_is_missing_or_a_link(saved: Path) -> None:
    first = sorted(saved.glob("*.arrow"))[0]
    first.rename(saved / "elsewhere")
    assert "it is missing" in refusal(saved)
    first.symlink_to(saved / "elsewhere")
    assert "not a file itself" in refusal(saved)


def test_rows_by_indices_are_refused(saved: Path) -> None:
    change(saved / "state.json", _indices_data_files=[{"filename": "indices.arrow"}])
    assert "flatten_indices" in refusal(saved)


@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 100_000, '"text"'])
def test_descriptions_that_are_no_json(saved: Path, content: str) -> None:
    (saved / "state.json").write_text(content)
    assert "no sound JSON" in refusal(saved)


def test_a_part_is_no_path(tmp_path: Path) -> None:
    folder = tmp_path / "dictionary"
    folder.mkdir()
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": ["../floats"]}))
    assert "its parts are" in refusal(folder)
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": 7}))
    assert "not listed" in refusal(folder)
