"""Commitments on the sketch path: the root of a vector's chunks in the place of a point (docs/sketch.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from eth_utils.crypto import keccak
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.protocol.chunk_tree import ChunkTree, Leaf, depth_of
from zk.chunk_sums import moved_points
from zk.chunks import ChunkCommitter
from zk.curve import Point
from zk.files import CircuitFiles


class TreeCommitter:
    """Commits to vectors of `chunks` chunks of `chunk_length` numbers, as `zk.commit.Committer` does to short ones."""

    def __init__(self, files: CircuitFiles, chunk_length: int, chunks: int) -> None:
        depth_of(chunks)
        self._points = ChunkCommitter(files, chunk_length)
        self._chunk_length = chunk_length
        self._chunks = chunks
        self._of_model: ChunkTree | None = (
            None  # the last one: a node commits to the model that it starts from often
        )

    @property
    def zero(self) -> Point:
        """C_0, a point: the commitment of a chunk or sketch of zeros."""
        return self._points.zero

    def commit(self, vector: NDArray[np.integer[Any]]) -> Point:
        """(root, J) as `Point(int(root), chunks)`, for an int16 update or an int32 model; else BAD_INPUT."""
        return self.commitment(self.tree(vector))

    def commitment(self, tree: ChunkTree) -> Point:
        """(root, J) of a tree that is there already."""
        return Point(int.from_bytes(tree.root, "big"), len(tree.leaves))

    def tree(self, vector: NDArray[np.integer[Any]]) -> ChunkTree:
        """The leaves of an int16 update or an int32 model, shape (chunks * chunk_length,); else BAD_INPUT."""
        self._check(vector)
        hashes, known = self._hashes(vector), self._of_model
        is_model = vector.dtype == np.int32
        if is_model and known is not None and [leaf.hash for leaf in known.leaves] == hashes:
            return known
        tree = _tree(self._points.points(vector), hashes)
        if is_model:
            self._of_model = tree
        return tree

    def moved_tree(
        self, model: NDArray[np.int32], before: Sequence[Leaf], merged: Sequence[Sequence[Leaf]]
    ) -> ChunkTree:
        """`tree` of the model that merging made, from the old model's leaves and the merged updates': far cheaper."""
        self._check(model)
        points = moved_points(points_of(before), [points_of(leaves) for leaves in merged], self.zero)
        return _tree(points, self._hashes(model))

    def agrees(self, vector: NDArray[np.integer[Any]], leaves: Sequence[Leaf]) -> bool:
        """Whether these are the vector's leaves, a tenth of the work of making them (`ChunkCommitter.agree`)."""
        self._check(vector)
        if [leaf.hash for leaf in leaves] != self._hashes(vector):
            return False
        known = self._of_model
        if known is not None and known.leaves == tuple(leaves):
            return True
        agree = self._points.agree(vector, points_of(leaves))
        if agree and vector.dtype == np.int32:
            self._of_model = ChunkTree(tuple(leaves))
        return agree

    def sketch_commitment(self, sketch: NDArray[np.int64]) -> Point:
        """The point of a sketch, int64 [width], as the proof carries it."""
        return self._points.commit(sketch)

    def _check(self, vector: NDArray[np.integer[Any]]) -> None:
        length = self._chunks * self._chunk_length
        if vector.shape != (length,):
            raise FairshareError(
                Reason.BAD_INPUT,
                f"this project commits to {length} integers, not to {vector.dtype} of shape {vector.shape}",
                "check that the model and the project have the same number of parameters",
            )

    def _hashes(self, vector: NDArray[np.integer[Any]]) -> list[bytes]:
        little_endian = vector.dtype.newbyteorder("<")
        return [
            bytes(keccak(chunk.astype(little_endian, copy=False).tobytes()))
            for chunk in vector.reshape(self._chunks, self._chunk_length)
        ]


def _tree(points: Sequence[Point], hashes: Sequence[bytes]) -> ChunkTree:
    return ChunkTree(tuple(Leaf(*point, hash) for point, hash in zip(points, hashes, strict=True)))


def points_of(leaves: Sequence[Leaf]) -> list[Point]:
    """Their points."""
    return [Point(leaf.x, leaf.y) for leaf in leaves]
