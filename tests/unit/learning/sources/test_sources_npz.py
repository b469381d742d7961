"""An .npz read some rows at a time: the same rows, and the same refusals, as read at once."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset, load_npz, save_npz
from marketplace.learning.sources.asked import Wanted
from marketplace.learning.sources.findings import Findings, Kind
from marketplace.learning.sources.npz import MAX_PACKING, NpzSource
from tests.support.data_files import CLASSES, FEATURES, TASK, digits, found, read, refusal, same


@pytest.fixture(scope="module")
def data() -> Dataset:
    return digits()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f4", ">f8"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_of_any_order_and_width(
    tmp_path: Path, data: Dataset, order: str, kind: str, save: object
) -> None:
    save(tmp_path / "data.npz", X=np.array(data.X, dtype=kind, order=order), y=data.y.astype(">i2"))  # type: ignore[operator]
    same(read(tmp_path / "data.npz"), data)


def test_batches_are_small_whatever_the_file(tmp_path: Path) -> None:
    wanted = Wanted(features=40_000, classes=2)
    X = np.arange(40 * wanted.features, dtype=np.float32).reshape(40, -1)
    save_npz(tmp_path / "data.npz", Dataset(X, np.zeros(40, dtype=np.int64)))
    batches = list(NpzSource(tmp_path / "data.npz", wanted).batches(Findings()))
    assert max(len(batch.y) for batch in batches) == wanted.batch_rows == 13
    np.testing.assert_array_equal(np.concatenate([batch.X for batch in batches]), X)
    assert [batch.place(0) for batch in batches[:2]] == [
        (str(tmp_path / "data.npz"), 1),
        (str(tmp_path / "data.npz"), 14),
    ]


def test_findings_say_row_and_column(tmp_path: Path, data: Dataset) -> None:
    X = data.X.copy()
    X[17, 3] = np.nan
    save_npz(tmp_path / "data.npz", Dataset(X, data.y))
    assert found(read(tmp_path / "data.npz"), Kind.NOT_FINITE) == [(18, "X[3]", "nan")]


def test_a_bad_checksum_is_noticed_at_the_end(tmp_path: Path, data: Dataset) -> None:
    path = tmp_path / "data.npz"
    save_npz(path, data)
    content = bytearray(path.read_bytes())
    content[content.index(data.X[60].tobytes()) + 40] ^= 1
    path.write_bytes(content)
    assert "not a sound .npz" in refusal(path)


def test_a_zip_bomb_is_refused_by_its_directory(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    rows = (80 << 20) // (4 * FEATURES)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in (("X", np.zeros((rows, FEATURES), np.float32)), ("y", np.zeros(rows, np.uint8))):
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array)
    assert f"over {MAX_PACKING} times its size" in refusal(path)
    with pytest.raises(FairshareError) as caught:
        load_npz(path, TASK)
    assert caught.value.reason is Reason.BAD_DATA


def test_labels_of_no_class(tmp_path: Path, data: Dataset) -> None:
    save_npz(tmp_path / "data.npz", Dataset(data.X, data.y - 1))
    loaded = read(tmp_path / "data.npz")
    assert found(loaded, Kind.LABEL_RANGE)[0][1:] == ("y", "-1")
    assert (loaded.survey.lowest_label, loaded.survey.highest_label) == (-1, CLASSES - 2)
