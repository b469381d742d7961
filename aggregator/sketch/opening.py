"""A sealed update on the sketch path: opened, held against its root and leaf by leaf against itself, sketched."""

from __future__ import annotations

from aggregator.path import NotCommitted
from marketplace.errors import FairshareError, Reason
from marketplace.node.project import ProjectContext
from marketplace.node.sketch.faults import first_other
from marketplace.node.vectors import Committed, packed_bytes, unpack, with_leaves
from marketplace.protocol.chunk_tree import ChunkTree
from marketplace.updates.envelope import UpdateContext, open_sealed
from marketplace.updates.sealing import EncryptionKey


def open_committed(
    context: ProjectContext,
    key: EncryptionKey,
    bound_to: UpdateContext,
    digest: bytes,
    blob: bytes,
    sealed_key: bytes | None,
) -> Committed:
    """The update in a sealed blob, with its leaves. Raises INTEGRITY; NotCommitted, with the first false chunk where
    there is one: the leaves are those that the root says, so nobody can answer for it."""
    packed, commitment = open_sealed(
        blob, key, bound_to, digest, packed_bytes(context), sealed_key, chunks=context.chunks
    )
    update, leaves = unpack(context, packed)
    opened = with_leaves(update, ChunkTree(leaves))
    if opened.commitment != commitment:
        raise FairshareError(Reason.INTEGRITY, "the sealed leaves are not under the root that was submitted")
    committer = context.tree_committer
    if not committer.agrees(update, leaves):
        chunk = first_other(committer.tree(update).leaves, leaves)
        raise NotCommitted(f"chunk {chunk} of the update is not the one committed to", chunk)
    return opened
