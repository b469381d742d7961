""".npz data: what is read, and one line for everything else."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset, file_sha256, load_npz, save_npz
from marketplace.learning.tasks import Task

X = np.linspace(0, 1, 5 * 64).reshape(5, 64)
y = np.arange(5)


def refusal(path: Path, task: Task) -> FairshareError:
    with pytest.raises(FairshareError) as caught:
        load_npz(path, task)
    assert caught.value.reason is Reason.BAD_DATA
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array)
    return buffer.getvalue()


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)
    return path


@pytest.mark.parametrize("x_type", ["<f4", "<f8", ">f8"])
@pytest.mark.parametrize("y_type", ["u1", "<i4", "<i8", ">i2", "<u8"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_numbers_of_any_width_are_read(
    tmp_path: Path, softmax: Task, x_type: str, y_type: str, save: object
) -> None:
    path = tmp_path / "data.npz"
    save(path, X=np.asfortranarray(X.astype(x_type)), y=y.astype(y_type))  # type: ignore[operator]
    dataset = load_npz(path, softmax)
    assert (dataset.X.dtype, dataset.y.dtype) == (np.float32, np.int64)
    assert dataset.X.flags.c_contiguous
    np.testing.assert_array_equal(dataset.X, X.astype(np.float32))
    np.testing.assert_array_equal(dataset.y, y)


def test_what_is_saved_is_read_and_has_one_hash(tmp_path: Path, softmax: Task) -> None:
    dataset = Dataset(X.astype(np.float32), y)
    save_npz(tmp_path / "a.npz", dataset)
    save_npz(tmp_path / "b.npz", dataset)
    np.testing.assert_array_equal(load_npz(tmp_path / "a.npz", softmax).X, dataset.X)
    assert file_sha256(tmp_path / "a.npz") == file_sha256(tmp_path / "b.npz")


def with_value(value: float) -> np.ndarray:
    changed = X.copy()
    changed[2, 3] = value
    return changed


@pytest.mark.parametrize(
    ("features", "labels", "says"),
    [
        (with_value(np.nan), y, "NaN"),
        (with_value(np.inf), y, "infinity"),
        (with_value(1e300), y, "float32"),
        (X[:, :63], y, "shape (5, 63)"),
        (X.reshape(5, 8, 8), y, "shape"),
        (X[0], y, "shape"),
        (X[:4], y, "shape"),
        (X, y[:, None], "shape"),
        (X, y.astype(float), "float64"),
        (X, y + 6, "6 to 10"),
        (X, y - 1, "-1 to 3"),
        (X.astype(np.int64), y, "int64"),
        (X.astype(np.float16), y, "float16"),
        (X[:0], y[:0], "no rows"),
        (X, np.full(5, 2**64 - 1, dtype=np.uint64), "18446744073709551615"),
        (X.astype(object), y, "numbers"),
        (X.astype(str), y, "numbers"),
    ],
)
def test_wrong_arrays_are_refused(
    tmp_path: Path, softmax: Task, features: np.ndarray, labels: np.ndarray, says: str
) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, X=features, y=labels)
    assert says in refusal(path, softmax).message


@pytest.mark.parametrize("names", [("X",), ("x", "y"), ("X", "y", "z"), ()])
def test_other_keys_are_refused(tmp_path: Path, softmax: Task, names: tuple[str, ...]) -> None:
    path = archive(tmp_path / "data.npz", **{name: npy(X) for name in names})
    assert "not X and y" in refusal(path, softmax).message


def test_no_file_a_folder_and_rubbish(tmp_path: Path, softmax: Task) -> None:
    assert "no such file" in refusal(tmp_path / "none.npz", softmax).message
    refusal(tmp_path, softmax)
    rubbish = tmp_path / "rubbish.npz"
    rubbish.write_bytes(b"\x80\x04pickle?")
    refusal(rubbish, softmax)
    np.save(tmp_path / "one.npy", X)
    refusal(tmp_path / "one.npy", softmax)


def test_a_header_that_claims_more_than_is_there_takes_no_memory(tmp_path: Path, softmax: Task) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 64), }"
    claimed = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"\x00" * 512
    path = archive(tmp_path / "data.npz", X=claimed, y=npy(y))
    assert "does not match" in refusal(path, softmax).message


def test_a_directory_that_claims_gigabytes_is_refused(tmp_path: Path, softmax: Task) -> None:
    path = archive(tmp_path / "data.npz", X=npy(X), y=npy(y))
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = struct.pack(
        "<I", 0xFFFFFFF0
    )  # uncompressed size in the central directory
    path.write_bytes(data)
    refusal(path, softmax)


def test_every_cut_is_noticed(tmp_path: Path, softmax: Task) -> None:
    whole = archive(tmp_path / "data.npz", X=npy(X), y=npy(y)).read_bytes()
    cut = tmp_path / "cut.npz"
    for length in range(0, len(whole), 37):
        cut.write_bytes(whole[:length])
        refusal(cut, softmax)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_changed_byte_gives_an_error_or_numbers(tmp_path: Path, softmax: Task, save: object) -> None:
    path = tmp_path / "changed.npz"
    save(path, X=X, y=y)  # type: ignore[operator]
    whole = path.read_bytes()
    generator = np.random.default_rng(0)
    for place in generator.integers(0, len(whole), 400).tolist():
        data = bytearray(whole)
        data[place] ^= 1 << int(generator.integers(8))
        path.write_bytes(data)
        reason = Reason.BAD_DATA
        try:
            load_npz(path, softmax)
        except FairshareError as error:
            reason = error.reason
        assert reason is Reason.BAD_DATA


@pytest.mark.parametrize(
    "literal", [b"{[]: 1}", b"-" * 9000 + b"1", b"(" * 150 + b")" * 150, b"{'descr': 7}", b"\x00"]
)
def test_strange_headers_are_refused(tmp_path: Path, softmax: Task, literal: bytes) -> None:
    strange = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(literal)) + literal
    refusal(archive(tmp_path / "data.npz", X=strange, y=npy(y)), softmax)
