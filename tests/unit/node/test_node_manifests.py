"""A round's model by its manifest on the sketch path: found under the chain's root, or refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.node.manifests import fetch_by_manifest, fetch_manifest, fetch_tree, fetch_trees
from marketplace.node.models import ModelReference, fetch_reference
from marketplace.node.project import ProjectContext
from marketplace.protocol.chunk_tree import ChunkTree, Leaf
from marketplace.updates.codec import pack_model
from marketplace.updates.leaves import pack_leaves
from marketplace.updates.manifest import Manifest
from tests.support.local_store import LocalStore
from tests.support.sketched import (
    CHUNK_LENGTH,
    CHUNKS,
    CID,
    LENGTH,
    PARAMETERS,
    WIDTH,
    sketch_files,
    sketched_context,
)
from zk.commit import Committer
from zk.curve import Point


@pytest.fixture(scope="module")
def context() -> ProjectContext:
    return sketched_context(sketch_files(), LocalStore())


class Published:
    """A round's model in a store of its own, with what belongs to it."""

    def __init__(self, context: ProjectContext) -> None:
        self.store = LocalStore()
        self.context = replace(context, store=self.store)
        self.model = np.random.default_rng(1).integers(-(2**31), 2**31, LENGTH, dtype=np.int32)
        self.tree = context.tree_committer.tree(self.model)
        self.commitment = context.committer.commit(self.model)
        self.leaves = self.store.add(pack_leaves(self.tree.leaves))
        self.cid = self.store.add(pack_model(self.model))
        self.manifest = self.publish()

    def publish(self, **changes: Any) -> str:
        fields = {"model": self.cid, "leaves": self.leaves, "updates": self.leaves} | changes
        return self.store.add(Manifest(**fields).to_bytes())

    def fetch(self, manifest: str, commitment: Point | None = None) -> NDArray[np.int32]:
        return fetch_by_manifest(self.context, manifest, commitment or self.commitment, 1)

    def refusal(self, manifest: str, commitment: Point | None = None) -> FairshareError:
        with pytest.raises(FairshareError) as caught:
            self.fetch(manifest, commitment)
        return caught.value


@pytest.fixture
def published(context: ProjectContext) -> Published:
    return Published(context)


def test_what_a_context_says_of_its_path(context: ProjectContext) -> None:
    assert context.is_sketched
    assert (context.width, context.chunks, context.chunk_length, context.length) == (
        WIDTH,
        CHUNKS,
        CHUNK_LENGTH,
        LENGTH,
    )
    ones = np.ones(LENGTH, dtype=np.int16)
    assert context.sketcher(bytes(32)).sketch(ones).shape == (WIDTH,)
    assert context.committer.commit(ones).y == CHUNKS
    assert context.weights(np.arange(LENGTH, dtype=np.int32)).shape == (PARAMETERS,)


def test_a_model_is_found_by_its_manifest(published: Published) -> None:
    assert (published.fetch(published.manifest) == published.model).all()
    reference = ModelReference(3, published.manifest, published.commitment)
    assert (fetch_reference(published.context, reference, 1) == published.model).all()
    initial = ModelReference(0, published.cid, published.commitment)  # which has no manifest
    assert (fetch_reference(published.context, initial, 1) == published.model).all()
    assert fetch_manifest(published.context, published.manifest, 1).model == published.cid
    assert fetch_tree(published.context, published.leaves, published.commitment, 1) == published.tree


def test_a_model_is_found_though_its_leaves_are_not(published: Published) -> None:
    """To commit to it takes longer, and says as much."""
    for name, leaves in {
        "absent": CID,
        "something else": published.store.add(b"no leaves"),
        "another's": published.store.add(pack_leaves(published.tree.leaves[::-1])),
        "too many": published.store.add(pack_leaves(published.tree.leaves * 40)),
    }.items():
        found = published.fetch(published.publish(leaves=leaves))
        assert (found == published.model).all(), name


def altered(model: NDArray[np.int32]) -> NDArray[np.int32]:
    other = model.copy()
    other[-1] ^= 1
    return other


@pytest.mark.parametrize(
    "make",
    [
        lambda model: pack_model(altered(model)),
        lambda model: pack_model(model[:-1]),
        lambda model: pack_model(model) + b"\0",
        lambda model: pack_model(np.tile(model, 9)),
        lambda model: b"FSA1",
        lambda model: b"",
        lambda model: pack_model(model).replace(b"FSA1", b"FSA2", 1),
    ],
)
@pytest.mark.parametrize("with_leaves", [True, False])
def test_another_model_is_refused(
    published: Published, make: Callable[[NDArray[np.int32]], bytes], with_leaves: bool
) -> None:
    changes = {} if with_leaves else {"leaves": CID}
    false = published.publish(model=published.store.add(make(published.model)), **changes)
    assert published.refusal(false).reason in (Reason.INTEGRITY, Reason.TOO_LARGE)
    if with_leaves:
        assert published.refusal(false).reason is Reason.INTEGRITY


def test_leaves_of_a_false_model_do_not_make_it_true(published: Published) -> None:
    false = altered(published.model)
    tree = published.context.tree_committer.tree(false)
    manifest = published.publish(
        model=published.store.add(pack_model(false)), leaves=published.store.add(pack_leaves(tree.leaves))
    )
    assert published.refusal(manifest).reason is Reason.INTEGRITY
    assert (
        published.refusal(published.manifest, Point(published.commitment.x + 1, CHUNKS)).reason
        is Reason.INTEGRITY
    )
    assert (
        published.refusal(published.manifest, Point(published.commitment.x, CHUNKS + 1)).reason
        is Reason.INTEGRITY
    )


def test_leaves_of_several_updates_are_found_in_one_file(published: Published) -> None:
    context, one = published.context, published.tree
    other = ChunkTree(one.leaves[::-1])
    roots = [Point(int.from_bytes(tree.root, "big"), CHUNKS) for tree in (one, other)]
    files = [pack_leaves(tree.leaves) for tree in (one, other)]
    both = published.store.add(b"".join(files))
    assert fetch_trees(context, both, roots, 1) == [one, other]
    for false in (files[1] + files[0], files[0], b"".join(files) + files[0], files[0] + files[1][:-1] + b"x"):
        with pytest.raises(FairshareError) as caught:
            fetch_trees(context, published.store.add(false), roots, 1)
        assert caught.value.reason is Reason.INTEGRITY
    with pytest.raises(FairshareError) as absent:
        fetch_trees(context, CID, roots, 1)
    assert absent.value.reason is Reason.UNAVAILABLE


def test_false_points_under_the_root_are_for_the_members_to_find(published: Published) -> None:
    """The bytes are bound by their hashes alone, as this module says."""
    zero = published.context.committer.zero
    tree = ChunkTree(tuple(Leaf(zero.x, zero.y, leaf.hash) for leaf in published.tree.leaves))
    manifest = published.publish(leaves=published.store.add(pack_leaves(tree.leaves)))
    root = Point(int.from_bytes(tree.root, "big"), CHUNKS)
    assert (published.fetch(manifest, root) == published.model).all()
    assert not published.context.tree_committer.agrees(published.model, tree.leaves)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[" * 2000,
        b"\xff",
        b'{"leaves":"","model":"","updates":null,"version":2}',
        b'{"leaves":1,"model":2,"updates":[],"version":2}',
        b"x" * 10**6,
    ],
    ids=["nothing", "no fields", "deep", "no text", "empty names", "no names", "long"],
)
def test_rubbish_is_no_manifest(published: Published, data: bytes) -> None:
    assert published.refusal(published.store.add(data)).reason is Reason.INTEGRITY
    assert published.refusal(CID).reason is Reason.UNAVAILABLE


def test_the_exact_path_has_no_chunks(context: ProjectContext) -> None:
    exact = replace(context, committer=Committer(context.circuit))
    with pytest.raises(FairshareError) as caught:
        _ = exact.tree_committer
    assert caught.value.reason is Reason.INTERNAL
