"""Models of the sketch path: a round's result names a manifest, which names the model and its leaves (docs/sketch.md).

What binds a model's bytes is the chain's root: leaves that hash up to it hold the hash of each chunk. That is a matter
of hashing, where to commit to all chunks again takes seconds. Not checked here is that the leaves' points are those of
the chunks: members do that once a round, and one false leaf undoes it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from eth_utils.crypto import keccak
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.node.project import FETCH_S, ProjectContext
from marketplace.protocol.chunk_tree import ChunkTree, Leaf
from marketplace.updates.codec import HEADER_BYTES, packed_model_bytes, unpack_model
from marketplace.updates.leaves import leaves_bytes, unpack_all_leaves, unpack_leaves
from marketplace.updates.manifest import MAX_MANIFEST_BYTES, Manifest
from zk.curve import Point

_NUMBER_BYTES = 4  # of a model


def fetch_manifest(context: ProjectContext, cid: str, timeout_s: float = FETCH_S) -> Manifest:
    """The manifest named by `cid`. Raises UNAVAILABLE, INTEGRITY where something else has that name."""
    data = _fetch(context, cid, MAX_MANIFEST_BYTES, timeout_s, "manifest")
    try:
        return Manifest.from_bytes(data)
    except FairshareError as error:
        raise _false(f"the manifest {cid}", error.message) from error


def fetch_tree(context: ProjectContext, cid: str, commitment: Point, timeout_s: float = FETCH_S) -> ChunkTree:
    """The leaves named by `cid`, of an update or a model. Raises UNAVAILABLE, INTEGRITY unless of `commitment`."""
    data = _fetch(context, cid, leaves_bytes(context.chunks), timeout_s, "leaves")
    try:
        tree = ChunkTree(unpack_leaves(data, context.chunks))
    except FairshareError as error:
        raise _false(f"the leaves {cid}", error.message) from error
    if Point(int.from_bytes(tree.root, "big"), context.chunks) != commitment:
        raise _false(f"the leaves {cid}", "they are not under the root that the chain holds")
    return tree


def fetch_trees(
    context: ProjectContext, cid: str, commitments: Sequence[Point], timeout_s: float = FETCH_S
) -> list[ChunkTree]:
    """The leaves of several updates, in one file named by `cid`. Raises UNAVAILABLE, INTEGRITY unless of these."""
    most = len(commitments) * leaves_bytes(context.chunks)
    data = _fetch(context, cid, most, timeout_s, "leaves")
    try:
        trees = [ChunkTree(leaves) for leaves in unpack_all_leaves(data, context.chunks, len(commitments))]
    except FairshareError as error:
        raise _false(f"the leaves {cid}", error.message) from error
    for tree, commitment in zip(trees, commitments, strict=True):
        if Point(int.from_bytes(tree.root, "big"), context.chunks) != commitment:
            raise _false(f"the leaves {cid}", "they are not under the roots that the chain holds")
    return trees


def fetch_by_manifest(
    context: ProjectContext, cid: str, commitment: Point, timeout_s: float = FETCH_S
) -> NDArray[np.int32]:
    """The model int32[d] that the manifest `cid` names, under the root in `commitment`.

    Where the leaves cannot be had or are false, the model is committed to instead: it may be right all the same.
    Raises UNAVAILABLE, INTEGRITY.
    """
    manifest = fetch_manifest(context, cid, timeout_s)
    try:
        tree = fetch_tree(context, manifest.leaves, commitment, timeout_s)
    except FairshareError as error:
        if error.reason not in (Reason.UNAVAILABLE, Reason.INTEGRITY):
            raise
        return context.fetch_model(manifest.model, commitment, timeout_s)
    packed = _fetch(context, manifest.model, packed_model_bytes(context.length), timeout_s, "model")
    try:
        model = unpack_model(packed, context.length)
    except FairshareError as error:
        raise _false(f"the model {manifest.model}", error.message) from error
    wrong = first_other_chunk(tree.leaves, memoryview(packed)[HEADER_BYTES:], context.chunk_length)
    if wrong is not None:
        raise _false(f"the model {manifest.model}", f"chunk {wrong} is not the one under the chain's root")
    return model


def first_other_chunk(leaves: tuple[Leaf, ...], numbers: memoryview, chunk_length: int) -> int | None:
    """The first chunk of a model's packed `numbers` (without header) whose hash is not its leaf's; None: all are."""
    size = _NUMBER_BYTES * chunk_length
    for index, leaf in enumerate(leaves):
        if keccak(bytes(numbers[index * size : (index + 1) * size])) != leaf.hash:
            return index
    return None


def _fetch(context: ProjectContext, cid: str, max_bytes: int, timeout_s: float, what: str) -> bytes:
    """What `cid` names; whatever is wrong with it is the publisher's lie, INTEGRITY."""
    try:
        return context.store.fetch(cid, max_bytes=max_bytes, timeout_s=timeout_s)
    except FairshareError as error:
        if error.reason not in (Reason.TOO_LARGE, Reason.BAD_INPUT):
            raise
        raise _false(f"the {what} {cid}", error.message) from error


def _false(name: str, problem: str) -> FairshareError:
    return FairshareError(
        Reason.INTEGRITY, f"{name} is not what is due: {problem}", "whoever published it lies"
    )
