"""Chunk points: the commitments that ezkl gives for each chunk alone, whatever its length and numbers."""

from __future__ import annotations

import gc
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.errors import FairshareError, Reason
from zk import curve, srs
from zk.chunks import ChunkCommitter, columns_of
from zk.commit import Committer, commit_column, rows_of
from zk.curve import INFINITY, Point
from zk.files import CircuitFiles
from zk.shape import BLINDING_ROWS

LENGTHS = (1, 4, 26, 58, 63, 64, 90, 100, 122)  # of chunks; the circuit's columns hold 122
EDGES = {np.int16: (-(2**15), 2**15 - 1), np.int32: (-(2**31), 2**31 - 1)}


@st.composite
def chunked(draw: st.DrawFn) -> tuple[int, np.ndarray]:
    """A chunk length, and a vector of some chunks whose last one may end in zeros."""
    kind = draw(st.sampled_from([np.int16, np.int32]))
    length, chunks = draw(st.sampled_from(LENGTHS)), draw(st.integers(1, 4))
    lowest, highest = EDGES[kind]
    few = st.one_of(st.sampled_from([lowest, highest, 0, -1, 1]), st.integers(lowest, highest))
    pattern = draw(st.lists(few, min_size=1, max_size=7))
    vector = np.resize(np.array(pattern, dtype=kind), length * chunks)
    vector[length * chunks - draw(st.integers(0, length)) :] = 0
    return length, vector


@settings(max_examples=40, deadline=None)
@given(chunked())
def test_the_points_are_the_commitments_of_each_chunk(
    files: CircuitFiles, drawn: tuple[int, np.ndarray]
) -> None:
    length, vector = drawn
    committer = ChunkCommitter(files, length)
    points = committer.points(vector)
    assert points == [commit_column(files, chunk) for chunk in vector.reshape(-1, length)]
    assert committer.agree(vector, points)
    assert points == committer.points(vector.astype(vector.dtype.newbyteorder(">")))


def test_a_chunk_of_the_circuits_length_has_the_commitment_of_the_proof(files: CircuitFiles) -> None:
    chunk = np.array([-(2**15), 2**15 - 1, 0, 5], dtype=np.int16)
    assert ChunkCommitter(files, 4).points(chunk) == [Committer(files).commit(chunk)]
    assert ChunkCommitter(files, 4).commit(chunk.astype(np.int64)) == Committer(files).commit(chunk)


@pytest.mark.parametrize("row", [0, 1, 57, 58, 63, 115, 116, 121])
def test_each_number_stands_for_its_lagrange_point(files: CircuitFiles, row: int) -> None:
    chunk = np.zeros(122, dtype=np.int32)
    chunk[row] = 3
    (point,) = ChunkCommitter(files, 122).points(chunk)
    lagrange = curve.multiply(srs.lagrange_point(files.srs, files.logrows, row), 3)
    assert point == curve.add(files.zero, lagrange)


@pytest.mark.parametrize("kind", [np.int16, np.int32])
def test_zeros_have_the_point_c_0(files: CircuitFiles, kind: type[np.signedinteger]) -> None:
    committer = ChunkCommitter(files, 90)
    assert committer.points(np.zeros(270, dtype=kind)) == [committer.zero] * 3 == [files.zero] * 3


def test_more_numbers_than_ezkl_is_given_at_once(files: CircuitFiles) -> None:
    length, chunks = 122, 1200  # 2^17 numbers end within them
    vector = np.random.default_rng(5).integers(-(2**15), 2**15, length * chunks).astype(np.int16)
    committer = ChunkCommitter(files, length)
    points = committer.points(vector)
    assert committer.agree(vector, points)
    for j in (0, 1073, 1074, 1075, chunks - 1):
        assert points[j] == commit_column(files, vector[length * j : length * (j + 1)])


def _swapped(points: list[Point]) -> list[Point]:
    return [points[1], points[0], *points[2:]]


@pytest.mark.parametrize("kind", [np.int16, np.int32])
def test_other_points_do_not_agree(files: CircuitFiles, kind: type[np.signedinteger]) -> None:
    vector = np.resize(np.array([*EDGES[kind], 7, 9, -3, 12, 0], dtype=kind), 300)
    committer = ChunkCommitter(files, 100)
    points = committer.points(vector)
    other = curve.add(points[1], Point(1, 2))
    negative = Point(points[1].x, curve.BASE_FIELD - points[1].y)
    for false in (
        other,
        negative,
        files.zero,
        INFINITY,
        Point(1, 3),
        Point(points[1].x + curve.BASE_FIELD, 2),
    ):
        assert not committer.agree(vector, [points[0], false, points[2]])
    for wrong in (_swapped(points), points[:2], [*points, files.zero], []):
        assert not committer.agree(vector, wrong)
    # errors that cancel out in the sum of the points
    added, taken = curve.add(points[0], Point(1, 2)), curve.subtract(points[1], Point(1, 2))
    assert not committer.agree(vector, [added, taken, points[2]])
    changed = vector.copy()
    changed[250] ^= 1
    assert not committer.agree(changed, points)
    assert committer.agree(vector, points)


@pytest.mark.parametrize("length", [0, -4, 123])
def test_chunks_that_no_column_holds_are_refused(files: CircuitFiles, length: int) -> None:
    with pytest.raises(FairshareError) as refused:
        ChunkCommitter(files, length)
    assert refused.value.reason is Reason.BAD_INPUT


@pytest.mark.parametrize(
    "vector",
    [
        np.zeros(8, dtype=np.int64),
        np.zeros(8, dtype=np.int8),
        np.zeros(8, dtype=np.uint16),
        np.zeros(8),
        np.zeros(7, dtype=np.int16),
        np.zeros(0, dtype=np.int16),
        np.zeros((2, 4), dtype=np.int16),
    ],
)
def test_other_vectors_are_refused(files: CircuitFiles, vector: np.ndarray) -> None:
    committer = ChunkCommitter(files, 4)
    for act in (lambda: committer.points(vector), lambda: committer.agree(vector, [files.zero] * 2)):
        with pytest.raises(FairshareError) as refused:
            act()
        assert refused.value.reason is Reason.BAD_INPUT


def test_a_column_holds_all_but_the_last_six_rows(files: CircuitFiles) -> None:
    assert rows_of(files) == 122
    ones = np.ones(122, dtype=np.int64)
    total = files.zero
    for row in range(122):
        total = curve.add(total, srs.lagrange_point(files.srs, files.logrows, row))
    assert ChunkCommitter(files, 4).commit(ones) == total
    for values in (np.ones(123, dtype=np.int64), ones[:0], np.ones(4), np.ones(4, dtype=np.uint8)):
        with pytest.raises(FairshareError) as refused:
            ChunkCommitter(files, 4).commit(values)
        assert refused.value.reason is Reason.BAD_INPUT


def test_chunks_of_every_length_are_cut_to_columns_that_they_fill() -> None:
    for length in range(1, 2**14 - BLINDING_ROWS + 1):
        columns = columns_of(length)
        assert sum(columns, ()) == tuple(
            number
            for at, (_, size) in enumerate(columns)
            for number in (sum(s for _, s in columns[:at]), size)
        )
        assert sum(size for _, size in columns) == length
        for _, size in columns[:-1]:
            assert (size + BLINDING_ROWS).bit_count() == 1
        assert columns[-1][1] < 64 or (columns[-1][1] + BLINDING_ROWS).bit_count() == 1


def test_a_committer_that_nobody_has_any_more_holds_no_file(files: CircuitFiles) -> None:
    vector = np.arange(244, dtype=np.int32)
    held = len(os.listdir("/dev/fd"))
    for _ in range(3):
        committer = ChunkCommitter(files, 122)
        assert committer.agree(vector, committer.points(vector))
        del committer
    gc.collect()
    assert len(os.listdir("/dev/fd")) <= held
