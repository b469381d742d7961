"""The tree over chunks: roots as docs/sketch.md defines them, and paths that lead to them from nowhere else."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from marketplace.errors import FairshareError, Reason
from marketplace.protocol.chunk_tree import (
    MAX_CHUNKS,
    ChunkTree,
    Leaf,
    chunks_of,
    depth_of,
    root_from_path,
)

words = st.integers(0, 2**256 - 1)
leaves = st.builds(Leaf, words, words, st.binary(min_size=32, max_size=32))
trees = st.lists(leaves, min_size=1, max_size=17, unique=True).map(lambda found: ChunkTree(tuple(found)))


def _root(digests: list[bytes]) -> bytes:
    """By recursion over halves, the reference."""
    if len(digests) == 1:
        return digests[0]
    half = len(digests) // 2
    return keccak(_root(digests[:half]) + _root(digests[half:]))


@given(leaves)
def test_a_leaf_is_hashed_as_the_contract_does(leaf: Leaf) -> None:
    assert leaf.digest() == keccak(encode(["uint256", "uint256", "bytes32"], [leaf.x, leaf.y, leaf.hash]))


@given(trees)
def test_the_root_is_that_of_the_complete_tree(tree: ChunkTree) -> None:
    digests = [leaf.digest() for leaf in tree.leaves]
    assert tree.root == _root(digests + [bytes(32)] * (2**tree.depth - len(digests)))


@given(trees)
def test_paths_lead_to_the_root(tree: ChunkTree) -> None:
    for index, leaf in enumerate(tree.leaves):
        path = tree.path(index)
        assert len(path) == tree.depth == depth_of(len(tree.leaves))
        assert root_from_path(index, leaf.digest(), path) == tree.root
        for other in range(2**tree.depth):
            assert (root_from_path(other, leaf.digest(), path) == tree.root) == (other == index)


@given(trees, st.data())
def test_anything_else_leads_elsewhere(tree: ChunkTree, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(tree.leaves) - 1))
    path, digest = tree.path(index), tree.leaves[index].digest()
    changed = bytearray(b"".join((digest, *path)))
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    other, *siblings = (bytes(changed[at : at + 32]) for at in range(0, len(changed), 32))
    assert root_from_path(index, other, siblings) != tree.root
    assert root_from_path(index, digest, (*path, bytes(32))) != tree.root


def test_depth_is_the_logarithm() -> None:
    depths = {1: 0, 2: 1, 3: 2, 4: 2, 5: 3, 245: 8, 256: 8, 257: 9, 2442: 12, MAX_CHUNKS: 16}
    assert {chunks: depth_of(chunks) for chunks in depths} == depths


def test_chunks_cover_the_length() -> None:
    assert [chunks_of(length, 4096) for length in (1, 4096, 4097, 10**6, 10**7)] == [1, 1, 2, 245, 2442]


@pytest.mark.parametrize("chunks", [0, -1, MAX_CHUNKS + 1])
def test_no_tree_has_so_many_leaves(chunks: int) -> None:
    with pytest.raises(FairshareError) as refused:
        depth_of(chunks)
    assert refused.value.reason is Reason.BAD_INPUT


def test_what_is_in_no_tree_is_refused() -> None:
    tree = ChunkTree((Leaf(1, 2, bytes(32)),) * 3)
    for act in (
        lambda: ChunkTree(()),
        lambda: tree.path(3),
        lambda: tree.path(-1),
        lambda: root_from_path(4, bytes(32), [bytes(32)] * 2),
        lambda: root_from_path(-1, bytes(32), [bytes(32)] * 2),
        lambda: root_from_path(1, bytes(32), []),
    ):
        with pytest.raises(FairshareError) as refused:
            act()
        assert refused.value.reason is Reason.BAD_INPUT
