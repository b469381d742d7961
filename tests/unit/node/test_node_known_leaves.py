"""What a node has committed to once it need not commit to again; what lies in its cache proves nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from marketplace.node.known_leaves import FOLDER, is_committed_to
from marketplace.protocol.chunk_tree import ChunkTree, Leaf
from marketplace.updates.leaves import pack_leaves
from marketplace.updates.tree_committer import TreeCommitter
from tests.support.sketched import CHUNK_LENGTH, CHUNKS, LENGTH, sketch_files
from zk.chunks import ChunkCommitter
from zk.curve import Point

MODEL = np.random.default_rng(5).integers(-(2**20), 2**20, LENGTH, dtype=np.int32)


def committer() -> TreeCommitter:
    """Of a node that has just started."""
    return TreeCommitter(sketch_files(), CHUNK_LENGTH, CHUNKS)


@pytest.fixture(scope="module")
def tree() -> ChunkTree:
    return committer().tree(MODEL)


@pytest.fixture(scope="module")
def root(tree: ChunkTree) -> Point:
    return Point(int.from_bytes(tree.root, "big"), CHUNKS)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[NDArray[np.int32]]:
    """What points were made of."""
    vectors: list[NDArray[np.int32]] = []
    points = ChunkCommitter.points

    def noted(self: ChunkCommitter, vector: NDArray[np.int32]) -> list[Point]:
        vectors.append(vector)
        return points(self, vector)

    monkeypatch.setattr(ChunkCommitter, "points", noted)
    return vectors


def file_of(cache: Path, root: Point) -> Path:
    return cache / FOLDER / f"{root.x:064x}"


def test_the_next_start_makes_no_points(
    tmp_path: Path, tree: ChunkTree, root: Point, made: list[NDArray[np.int32]]
) -> None:
    assert is_committed_to(committer(), MODEL, root, tmp_path)
    assert len(made) == 1
    assert file_of(tmp_path, root).read_bytes() == pack_leaves(tree.leaves)
    started_again = committer()
    assert is_committed_to(started_again, MODEL, root, tmp_path)
    assert started_again.tree(MODEL) == tree
    assert len(made) == 1
    assert len(list((tmp_path / FOLDER).iterdir())) == 1


def test_another_model_is_refused_whatever_is_kept(tmp_path: Path, tree: ChunkTree, root: Point) -> None:
    other = MODEL.copy()
    other[7] += 1
    assert not is_committed_to(committer(), other, root, tmp_path)
    assert not (tmp_path / FOLDER).exists()
    assert is_committed_to(committer(), MODEL, root, tmp_path)
    assert not is_committed_to(committer(), other, root, tmp_path)


def test_false_points_under_a_root_of_their_own_make_no_model_its_own(
    tmp_path: Path, tree: ChunkTree
) -> None:
    """Who writes into the cache can have the bytes' hashes right, and the root of a commitment that nobody made."""
    zero = committer().zero
    false = ChunkTree(tuple(Leaf(zero.x, zero.y, leaf.hash) for leaf in tree.leaves))
    claimed = Point(int.from_bytes(false.root, "big"), CHUNKS)
    file_of(tmp_path, claimed).parent.mkdir()
    file_of(tmp_path, claimed).write_bytes(pack_leaves(false.leaves))
    assert not is_committed_to(committer(), MODEL, claimed, tmp_path)


@pytest.mark.parametrize("kept", ["nothing", "rubbish", "cut", "more", "another's", "a folder"])
def test_what_is_damaged_is_made_again(
    kept: str, tmp_path: Path, tree: ChunkTree, root: Point, made: list[NDArray[np.int32]]
) -> None:
    path, good = file_of(tmp_path, root), pack_leaves(tree.leaves)
    path.parent.mkdir()
    match kept:
        case "a folder":
            path.mkdir()
        case _:
            others = pack_leaves((tree.leaves[1], tree.leaves[0], *tree.leaves[2:]))
            damaged = {"nothing": b"", "rubbish": b"\xff" * len(good), "cut": good[:-1], "more": good + b"x"}
            path.write_bytes((damaged | {"another's": others})[kept])
    assert is_committed_to(committer(), MODEL, root, tmp_path)
    assert len(made) == 1
    assert kept == "a folder" or path.read_bytes() == good
    assert len(list(path.parent.iterdir())) == 1


@pytest.mark.parametrize("chunks", [0, CHUNKS - 1, CHUNKS + 1, 1 << 20])
def test_a_commitment_of_another_length_is_none(chunks: int, tmp_path: Path, root: Point) -> None:
    assert is_committed_to(committer(), MODEL, root, tmp_path)
    assert not is_committed_to(committer(), MODEL, Point(root.x, chunks), tmp_path)
