"""The real data sets, the IDX parser, and the splits."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.errors import FairshareError, Reason
from marketplace.learning import datasets, idx, split
from marketplace.learning.data import Dataset


def write_idx(path: Path, array: np.ndarray) -> None:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes(), mtime=0))


def write_fashion(folder: Path, labels: np.ndarray | None = None) -> None:
    images = np.arange(3 * 28 * 28).reshape(3, 28, 28) % 256
    for part in ("train", "t10k"):
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", np.array([0, 9, 5]) if labels is None else labels)


def test_digits_are_the_whole_set_in_two_parts(digits: tuple[Dataset, Dataset]) -> None:
    training, evaluation = digits
    assert len(training) + len(evaluation) == 1797
    assert 350 <= len(evaluation) <= 370
    for part in digits:
        assert part.X.dtype == np.float32
        assert (part.X.min(), part.X.max()) == (0, 1)
        assert set(part.y) == set(range(10))
    again = datasets.digits()
    np.testing.assert_array_equal(again[1].X, evaluation.X)


def test_fashion_mnist_from_a_folder(tmp_path: Path) -> None:
    write_fashion(tmp_path)
    training, evaluation = datasets.load("fashion-mnist", tmp_path)
    assert training.X.shape == (3, 784)
    assert training.X.max() == 1
    assert evaluation.y.tolist() == [0, 9, 5]


def test_missing_fashion_mnist_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(FairshareError) as caught:
        datasets.fashion_mnist(tmp_path)
    assert caught.value.reason is Reason.NOT_FOUND
    assert "dataset-fashion-mnist" in caught.value.hint


@pytest.mark.parametrize("labels", [np.array([0, 1]), np.array([0, 1, 10])])
def test_labels_of_another_set_are_refused(tmp_path: Path, labels: np.ndarray) -> None:
    write_fashion(tmp_path, labels)
    with pytest.raises(FairshareError) as caught:
        datasets.fashion_mnist(tmp_path)
    assert caught.value.reason is Reason.BAD_DATA


def test_an_unknown_data_set() -> None:
    with pytest.raises(FairshareError) as caught:
        datasets.load("imagenet")
    assert caught.value.reason is Reason.BAD_INPUT


SOUND = bytes([0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3])


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(SOUND[:-1], mtime=0),
        gzip.compress(SOUND + b"\x00", mtime=0),
        gzip.compress(bytes([0, 0, 13, 1]) + SOUND[4:], mtime=0),
        gzip.compress(bytes([0, 0, 8, 2]) + SOUND[4:], mtime=0),
        gzip.compress(bytes([0, 0, 8, 1, 255, 255, 255, 255]), mtime=0),
        gzip.compress(b"", mtime=0),
        gzip.compress(SOUND, mtime=0)[:-9],
        gzip.compress(SOUND, mtime=0)[:12] + b"\xff\xff" + gzip.compress(SOUND, mtime=0)[14:],
        SOUND,
        b"",
    ],
)
def test_unsound_idx_files_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"."):
        idx.read(path, 1)


def test_a_sound_idx_file(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(SOUND, mtime=0))
    assert idx.read(path, 1).tolist() == [1, 2, 3]


def numbered(count: int, classes: int) -> Dataset:
    """Rows that carry their own number."""
    rows = np.arange(count)
    return Dataset(rows[:, None].astype(np.float32), (rows % classes).astype(np.int64))


@given(
    st.integers(1, 60),
    st.integers(1, 16),
    st.integers(1, 10),
    st.sampled_from([None, 1e-3, 0.1, 0.5, 100.0]),
    st.integers(0, 2**32 - 1),
)
def test_a_split_gives_every_row_once_and_no_part_is_empty(
    count: int, parts: int, classes: int, alpha: float | None, seed: int
) -> None:
    dataset = numbered(count, classes)

    def parted() -> list[Dataset]:
        return (
            split.iid(dataset, parts, seed) if alpha is None else split.dirichlet(dataset, parts, alpha, seed)
        )

    if parts > count:
        with pytest.raises(FairshareError):
            parted()
        return
    result = parted()
    assert len(result) == parts
    assert all(len(part) for part in result)
    rows = np.concatenate([part.X[:, 0] for part in result])
    np.testing.assert_array_equal(np.sort(rows), np.arange(count))
    assert all((part.y == part.X[:, 0].astype(int) % classes).all() for part in result)
    for part, again in zip(result, parted(), strict=True):
        np.testing.assert_array_equal(part.X, again.X)


def test_smaller_alpha_makes_parts_differ_more(digits: tuple[Dataset, Dataset]) -> None:
    def spread(alpha: float) -> float:
        parts = split.dirichlet(digits[0], 10, alpha, 1)
        return float(np.mean([np.bincount(part.y, minlength=10).max() / len(part) for part in parts]))

    assert spread(0.1) > spread(1.0) > spread(100.0)


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan"), float("inf")])
def test_alpha_must_be_a_number_above_zero(digits: tuple[Dataset, Dataset], alpha: float) -> None:
    with pytest.raises(FairshareError):
        split.dirichlet(digits[0], 10, alpha, 1)
