"""Points of a long vector's chunks (docs/sketch.md): the commitments of `Committer`, many at once.

ezkl commits to whole columns, and most rows of the circuit's are empty where a chunk ends. So a chunk is cut to columns
of 2^k rows that it fills, each with an SRS of just its Lagrange points. And ezkl is twice as fast with small scalars as
with p - |v|: numbers are moved up to be at least 0, and what that adds is taken off again, the same point for all.
"""

from __future__ import annotations

import functools
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from zk import batch, curve, felts, srs
from zk.batch import Affine
from zk.commit import commit_column, commit_columns, rows_of
from zk.curve import Point
from zk.files import CircuitFiles
from zk.shape import BLINDING_ROWS

WIDTHS = (2, 4)  # bytes of an integer: an update's, a model's

_AT_ONCE = 1 << 17  # numbers that ezkl is given at once: some 50 MB
_LEAST_LOGROWS = 4
_SMALL = 64  # what is left of a chunk below this is put into one column, full or not
_COEFFICIENT_BITS = 64  # drawn once the points are fixed: nobody can try until they suit
_HIGHEST = 1 << 61  # what numbers are moved up by must fit 64 bits with them
_LIMB_BITS = 16


class ChunkCommitter:
    """Commits to vectors of whole chunks of `chunk_length` numbers each, at most `zk.commit.rows_of`."""

    def __init__(self, files: CircuitFiles, chunk_length: int) -> None:
        if not 0 < chunk_length <= rows_of(files):
            raise FairshareError(
                Reason.BAD_INPUT,
                f"no chunks of {chunk_length} numbers",
                f"this circuit's columns hold 1 to {rows_of(files)}",
            )
        self.chunk_length = chunk_length
        self._files = files
        self._columns = [_Columns(files, first, length) for first, length in columns_of(chunk_length)]
        self._moved: dict[int, Affine] = {}  # by what numbers are moved up by: of two widths

    @property
    def zero(self) -> Point:
        """C_0, the commitment of zeros."""
        return self._files.zero

    def commit(self, values: NDArray[np.int64]) -> Point:
        """The commitment of a single chunk or sketch of any length that a column holds; BAD_INPUT otherwise."""
        fits = values.ndim == 1 and values.dtype.kind == "i" and 0 < values.size <= self.chunk_length
        if not fits or max(int(values.max()), -int(values.min())) > _HIGHEST:
            return commit_column(self._files, values)
        chunk = np.zeros((1, self.chunk_length), dtype=np.int64)
        chunk[0, : values.size] = values
        offset = max(0, -int(values.min()))
        ((point,),) = self._batches(chunk, offset, self._empty(offset))
        return batch.point(point)

    def points(self, vector: NDArray[np.integer[Any]]) -> list[Point]:
        """The point of each chunk of an int16 or int32 vector, shape (chunks * chunk_length,); else BAD_INPUT.

        About 1.4 us a number of 16 bits, 2.3 us one of 32.
        """
        chunks = self._chunks(vector)
        offset = max(0, -int(vector.min()))
        taken_off = self._empty(offset)
        return [batch.point(point) for some in self._batches(chunks, offset, taken_off) for point in some]

    def agree(self, vector: NDArray[np.integer[Any]], points: Sequence[Point]) -> bool:
        """Whether these are the `points` of the vector, for a tenth of their price.

        One random combination of all chunks is committed to: with a false point it holds with probability 2^-64.
        """
        chunks = self._chunks(vector)
        if len(points) != len(chunks) or not all(map(curve.is_on_curve, points)):
            return False
        factors = [secrets.randbits(_COEFFICIENT_BITS) for _ in points]
        # With every number moved up by o, sum_j f_j (P_j + o L - C_0) is a commitment less C_0; L: of ones, less C_0
        offset = 1 << 8 * vector.dtype.itemsize - 1
        added = [*map(batch.affine, points), self._moved_by(offset)]
        bits = _COEFFICIENT_BITS + len(points).bit_length()
        left = batch.combination(added, [*factors, sum(factors)], bits)
        scalars = felts.encode_limbs(_combined(chunks, factors, offset))
        total: Affine = None
        for columns in self._columns:
            (total,) = batch.sums([total], [columns.point(scalars)])
        return batch.sums([total], [batch.negated(batch.affine(self._zeros_and_ones[0]))]) == [left]

    def _chunks(self, vector: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
        if vector.dtype.kind != "i" or vector.dtype.itemsize not in WIDTHS:
            raise FairshareError(Reason.BAD_INPUT, f"chunks are of int16 or int32, not of {vector.dtype}")
        if vector.ndim != 1 or vector.size == 0 or vector.size % self.chunk_length:
            raise FairshareError(
                Reason.BAD_INPUT,
                f"shape {vector.shape} is not that of whole chunks of {self.chunk_length}",
                "fill the last one with zeros",
            )
        return vector.reshape(-1, self.chunk_length)

    def _batches(
        self, chunks: NDArray[np.integer[Any]], offset: int, taken_off: Affine
    ) -> Iterator[list[Affine]]:
        step = max(1, _AT_ONCE // self.chunk_length)
        for first in range(0, len(chunks), step):
            moved = chunks[first : first + step].astype(np.int64) + offset
            totals = self._raw(moved)
            yield batch.sums(totals, [batch.negated(taken_off)] * len(totals))

    def _raw(self, chunks: NDArray[np.int64]) -> list[Affine]:
        """The columns' commitments of each chunk added up; the numbers are at least 0."""
        totals: list[Affine] = [None] * len(chunks)
        for columns in self._columns:
            totals = batch.sums(totals, columns.points(chunks))
        return totals

    def _empty(self, offset: int) -> Affine:
        """What `_raw` gives for chunks of `offset`, less C_0."""
        zeros, ones = self._zeros_and_ones
        added = curve.multiply(curve.subtract(ones, zeros), offset)
        return batch.affine(curve.subtract(curve.add(zeros, added), self.zero))

    def _moved_by(self, offset: int) -> Affine:
        """o L - C_0."""
        if offset not in self._moved:
            zeros, ones = self._zeros_and_ones
            moved = curve.subtract(curve.multiply(curve.subtract(ones, zeros), offset), self.zero)
            self._moved[offset] = batch.affine(moved)
        return self._moved[offset]

    @functools.cached_property
    def _zeros_and_ones(self) -> tuple[Point, Point]:
        both = np.stack([np.zeros(self.chunk_length, np.int64), np.ones(self.chunk_length, np.int64)])
        zeros, ones = self._raw(both)
        return batch.point(zeros), batch.point(ones)


def columns_of(chunk_length: int) -> list[tuple[int, int]]:
    """How a chunk is cut: first number and length of each column, all but the last one full."""
    columns, first = [], 0
    while (left := chunk_length - first) >= _SMALL:
        rows = 1 << (left + BLINDING_ROWS).bit_length() - 1
        length = rows - BLINDING_ROWS
        columns.append((first, length))
        first += length
    if left:
        columns.append((first, left))
    return columns


class _Columns:
    """The numbers `first` to `first + length` of chunks, a column each."""

    def __init__(self, files: CircuitFiles, first: int, length: int) -> None:
        self._files, self._first, self._length = files, first, length
        logrows = max(_LEAST_LOGROWS, (length + BLINDING_ROWS - 1).bit_length())
        self._usable = (1 << logrows) - BLINDING_ROWS
        # A file without a name: it goes with this process, whatever ends it.
        self._srs = tempfile.TemporaryFile()  # noqa: SIM115
        self._srs.write(srs.excerpt(files.srs, files.logrows, first, length, logrows))
        self._srs.flush()

    def points(self, chunks: NDArray[np.int64]) -> list[Affine]:
        """The column's commitment of each chunk, as ezkl makes it: the points of its last rows are in all of them."""
        numbers = np.zeros((len(chunks), self._usable), dtype=np.int64)
        numbers[:, : self._length] = chunks[:, self._first : self._first + self._length]
        # a column more comes where the last one is full
        return self._commitments(felts.encode_all(numbers.reshape(-1)))[: len(chunks)]

    def point(self, scalars: Sequence[str]) -> Affine:
        """The column's commitment of one chunk of encoded field elements."""
        return self._commitments(list(scalars[self._first : self._first + self._length]))[0]

    def _commitments(self, scalars: list[str]) -> list[Affine]:
        self._srs.seek(0)
        points = commit_columns(self._files, f"/dev/fd/{self._srs.fileno()}", scalars)
        return [batch.affine(point) for point in points]


def _combined(chunks: NDArray[np.integer[Any]], factors: Sequence[int], offset: int) -> NDArray[np.int64]:
    """sum_j factors_j (chunks_j + offset), as `felts.encode_limbs` takes it: int64 [limbs, chunk_length]."""
    limbs = _COEFFICIENT_BITS // _LIMB_BITS
    mask = (1 << _LIMB_BITS) - 1
    split = np.array([[factor >> _LIMB_BITS * limb & mask for factor in factors] for limb in range(limbs)])
    # 16 + 31 bits and at most 2^16 chunks are within int64
    totals = np.zeros((limbs, chunks.shape[1]), dtype=np.int64)
    step = max(1, _AT_ONCE // chunks.shape[1])
    for first in range(0, len(chunks), step):
        totals += split[:, first : first + step] @ chunks[first : first + step].astype(np.int64)
    moved = offset * sum(factors)
    size = max(limbs, -(-moved.bit_length() // _LIMB_BITS))
    digits = np.array([moved >> _LIMB_BITS * limb & mask for limb in range(size)], dtype=np.int64)
    return np.pad(totals, ((0, size - limbs), (0, 0))) + digits[:, np.newaxis]
