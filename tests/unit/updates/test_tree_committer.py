"""Roots of whole vectors: the trees of their chunks' points and hashes, and what merging makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from eth_utils.crypto import keccak

from marketplace.errors import FairshareError, Reason
from marketplace.protocol.chunk_tree import Leaf, root_from_path
from marketplace.updates.tree_committer import TreeCommitter
from zk.chunks import ChunkCommitter
from zk.commit import Committer
from zk.curve import Point
from zk.files import CircuitFiles

CHUNK, CHUNKS = 512, 5
LENGTH = CHUNK * CHUNKS
rng = np.random.default_rng(3)
MODEL = rng.integers(-(2**31) + 2**18, 2**31 - 2**18, LENGTH).astype(np.int32)
UPDATES = [rng.integers(-(2**15), 2**15, LENGTH).astype(np.int16) for _ in range(3)]


@pytest.fixture(scope="module")
def committer(files: CircuitFiles) -> TreeCommitter:
    return TreeCommitter(files, CHUNK, CHUNKS)


@pytest.mark.parametrize("vector", [MODEL, UPDATES[0]], ids=["model", "update"])
def test_leaves_are_points_and_hashes_of_the_packed_chunks(
    files: CircuitFiles, committer: TreeCommitter, vector: np.ndarray
) -> None:
    packed = vector.astype(vector.dtype.newbyteorder("<")).tobytes()
    size = len(packed) // CHUNKS
    points = ChunkCommitter(files, CHUNK).points(vector)
    tree = committer.tree(vector)
    assert tree.leaves == tuple(
        Leaf(point.x, point.y, keccak(packed[size * j : size * (j + 1)])) for j, point in enumerate(points)
    )
    commitment = committer.commit(vector)
    assert commitment == committer.commitment(tree) == Point(int.from_bytes(tree.root, "big"), CHUNKS)
    assert root_from_path(4, tree.leaves[4].digest(), tree.path(4)) == tree.root
    assert committer.tree(vector.astype(vector.dtype.newbyteorder(">"))) == tree


def test_a_model_is_committed_to_once(files: CircuitFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    committer, asked = TreeCommitter(files, CHUNK, CHUNKS), []
    points = committer._points.points
    monkeypatch.setattr(committer._points, "points", lambda vector: asked.append(vector) or points(vector))
    tree = committer.tree(MODEL)
    assert committer.tree(UPDATES[0]) != tree
    assert committer.tree(MODEL.copy()) == tree
    assert len(asked) == 2
    other = MODEL.copy()
    other[-1] += 1
    assert committer.tree(other).leaves[:-1] == tree.leaves[:-1]
    assert committer.tree(other).root != tree.root
    with pytest.raises(FairshareError):
        committer.tree(other.view(np.float32))
    with pytest.raises(FairshareError):
        committer.tree(other.view(np.uint32))
    assert len(asked) == 5


def test_a_models_leaves_are_looked_at_once(files: CircuitFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    committer, looks = TreeCommitter(files, CHUNK, CHUNKS), []
    agree = committer._points.agree
    monkeypatch.setattr(committer._points, "agree", lambda *given: looks.append(given) or agree(*given))
    leaves = TreeCommitter(files, CHUNK, CHUNKS).tree(MODEL).leaves
    for _ in range(2):
        assert committer.agrees(MODEL, leaves)
    assert len(looks) == 1
    assert not committer.agrees(UPDATES[0], leaves)
    false = Leaf(leaves[1].x, leaves[1].y, leaves[0].hash)
    assert not committer.agrees(MODEL, (false, *leaves[1:]))
    assert len(looks) == 2


def test_the_same_numbers_in_other_widths_are_other_leaves(committer: TreeCommitter) -> None:
    narrow, wide = committer.tree(UPDATES[0]), committer.tree(UPDATES[0].astype(np.int32))
    assert narrow.root != wide.root
    assert [(leaf.x, leaf.y) for leaf in narrow.leaves] == [(leaf.x, leaf.y) for leaf in wide.leaves]


@pytest.mark.parametrize("merged", [0, 1, 3])
def test_the_merged_models_tree_follows_from_the_leaves(committer: TreeCommitter, merged: int) -> None:
    updates = UPDATES[:merged]
    model = MODEL + sum((update.astype(np.int32) for update in updates), np.zeros(LENGTH, np.int32))
    leaves = [committer.tree(update).leaves for update in updates]
    assert committer.moved_tree(model, committer.tree(MODEL).leaves, leaves) == committer.tree(model)


def test_leaves_agree_with_their_vector_alone(committer: TreeCommitter) -> None:
    vector, leaves = UPDATES[0], committer.tree(UPDATES[0]).leaves
    assert committer.agrees(vector, leaves)
    assert not committer.agrees(UPDATES[1], leaves)
    assert not committer.agrees(vector.astype(np.int32), leaves)
    assert not committer.agrees(vector, leaves[:-1])
    assert not committer.agrees(vector, (leaves[1], leaves[0], *leaves[2:]))
    false_point = Leaf(leaves[1].x, leaves[1].y, leaves[0].hash)
    false_hash = Leaf(leaves[0].x, leaves[0].y, leaves[1].hash)
    for false in (false_point, false_hash, Leaf(1, 3, leaves[0].hash)):
        assert not committer.agrees(vector, (false, *leaves[1:]))


def test_a_sketch_has_the_commitment_of_the_proof(files: CircuitFiles, committer: TreeCommitter) -> None:
    sketch = rng.integers(-(2**40), 2**40, files.shape.length)
    assert committer.sketch_commitment(sketch) == Committer(files).commit(sketch)
    assert committer.sketch_commitment(np.zeros(256, np.int64)) == committer.zero == files.zero


@pytest.mark.parametrize(
    "vector",
    [MODEL[:-CHUNK], MODEL.reshape(CHUNKS, CHUNK), MODEL.astype(np.int64), MODEL.astype(np.float32)],
)
def test_other_vectors_are_refused(committer: TreeCommitter, vector: np.ndarray) -> None:
    leaves = (Leaf(0, 0, bytes(32)),) * CHUNKS
    with pytest.raises(FairshareError) as refused:
        committer.commit(vector)
    assert refused.value.reason is Reason.BAD_INPUT
    if vector.shape != (LENGTH,):
        for act in (
            lambda: committer.agrees(vector, leaves),
            lambda: committer.moved_tree(vector, leaves, []),
        ):
            with pytest.raises(FairshareError) as refused:
                act()
            assert refused.value.reason is Reason.BAD_INPUT


@pytest.mark.parametrize(("length", "chunks"), [(0, 5), (CHUNK, 0), (CHUNK, 2**16 + 1), (2**14, 5)])
def test_other_sizes_are_refused(files: CircuitFiles, length: int, chunks: int) -> None:
    with pytest.raises(FairshareError) as refused:
        TreeCommitter(files, length, chunks)
    assert refused.value.reason is Reason.BAD_INPUT
