"""Long vectors for the sketch path (docs/sketch.md): updates and a model of many chunks, and their trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gasmeter.stage import SEED
from marketplace.protocol.chunk_tree import ChunkTree
from marketplace.updates.tree_committer import TreeCommitter
from zk.curve import Point
from zk.files import CircuitFiles

Numbers = NDArray[np.signedinteger[Any]]

WIDTH, CHUNK_LENGTH = 1024, 4096
DISTINCT = 25  # chunks: later ones repeat them, as the chain sees only how many there are


@dataclass(frozen=True)
class Long:
    """A vector: chunks that repeat those of `pattern`, and the tree of all of them."""

    pattern: Numbers
    tree: ChunkTree

    @property
    def numbers(self) -> Numbers:
        """All of them, shape (chunks * CHUNK_LENGTH,)."""
        return np.resize(self.pattern, len(self.tree.leaves) * CHUNK_LENGTH)

    @property
    def commitment(self) -> Point:
        """(root, J)."""
        return Point(int.from_bytes(self.tree.root, "big"), len(self.tree.leaves))

    def chunk(self, number: int) -> Numbers:
        """Chunk `number`, shape (CHUNK_LENGTH,)."""
        at = number * CHUNK_LENGTH % len(self.pattern)
        return self.pattern[at : at + CHUNK_LENGTH]


@dataclass(frozen=True)
class Vectors:
    """The initial model of a project, and what is submitted in each of its rounds."""

    chunks: int
    committer: TreeCommitter  # of a pattern
    model: Long
    updates: Sequence[Long]  # one an input of the circuit

    @property
    def commitments(self) -> Sequence[Point]:
        """(root, J) of each update."""
        return [update.commitment for update in self.updates]

    def long(self, pattern: Numbers) -> Long:
        """The vector that repeats `pattern`."""
        return _long(self.committer, self.chunks, pattern)


def made_up_vectors(files: CircuitFiles, chunks: int) -> Vectors:
    """As `stage.made_up`: a common direction and noise for each input."""
    random, distinct = np.random.default_rng(SEED), min(chunks, DISTINCT)
    committer, length = TreeCommitter(files, CHUNK_LENGTH, distinct), distinct * CHUNK_LENGTH
    model = random.integers(-(2**20), 2**20, length, dtype=np.int32)
    rows = random.normal(0, 100, length) + random.normal(0, 50, (files.shape.slots, length))
    updates = [_long(committer, chunks, row.astype(np.int16)) for row in np.rint(rows)]
    return Vectors(chunks, committer, _long(committer, chunks, model), updates)


def _long(committer: TreeCommitter, chunks: int, pattern: Numbers) -> Long:
    leaves = committer.tree(pattern).leaves
    return Long(pattern, ChunkTree(tuple(islice(cycle(leaves), chunks))))
