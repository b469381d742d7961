"""An update and its commitment in its maker's hands: committed to, sealed, shown where somebody complains about it.

For trainers, and for the owner with its reference. On the sketch path the commitment is the root of the update's
leaves, which are sealed together with it: an aggregator checks them for a tenth of what it costs to make them, and
knows which chunk is false.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from web3.contract.contract import ContractFunction

from marketplace.chain.types import UpdateChunk
from marketplace.errors import FairshareError, Reason
from marketplace.node.openings import chunk_opening_of, opening_of
from marketplace.node.project import ProjectContext
from marketplace.protocol.chunk_tree import ChunkTree, Leaf
from marketplace.updates.codec import pack_update, packed_update_bytes, unpack_update
from marketplace.updates.leaves import leaves_bytes, pack_leaves, unpack_leaves
from zk.curve import Point


@dataclass(frozen=True)
class Committed:
    """An update, int16 [d], and its commitment. `leaves`: on the sketch path."""

    update: NDArray[np.int16]
    commitment: Point
    leaves: tuple[Leaf, ...] = ()

    def packed(self) -> bytes:
        """What is sealed."""
        update = pack_update(self.update)
        return update + pack_leaves(self.leaves) if self.leaves else update


def commit(context: ProjectContext, update: NDArray[np.int16]) -> Committed:
    """An update with its commitment on the project's path."""
    if not context.is_sketched:
        return Committed(update, context.committer.commit(update))
    return with_leaves(update, context.tree_committer.tree(update))


def with_leaves(update: NDArray[np.int16], tree: ChunkTree) -> Committed:
    """An update with the root of these leaves."""
    root = Point(int.from_bytes(tree.root, "big"), len(tree.leaves))
    return Committed(update, root, tree.leaves)


def packed_bytes(context: ProjectContext) -> int:
    """Size of what is sealed."""
    update = packed_update_bytes(context.length)
    return update + leaves_bytes(context.chunks) if context.is_sketched else update


def unpack(context: ProjectContext, packed: bytes) -> tuple[NDArray[np.int16], tuple[Leaf, ...]]:
    """Update and leaves of what was sealed; INTEGRITY unless it is exactly that. Nothing is compared."""
    size = packed_update_bytes(context.length)
    if len(packed) != packed_bytes(context):
        raise FairshareError(Reason.INTEGRITY, f"what was sealed has {len(packed)} bytes")
    leaves = unpack_leaves(packed[size:], context.chunks) if context.is_sketched else ()
    return unpack_update(packed[:size], context.length), leaves


def answer_of(
    context: ProjectContext, round_: int, cohort: int, slot: int, own: Committed, block: int
) -> ContractFunction:
    """The call that answers the complaint about `own` in this slot, as of `block`."""
    market, number = context.client.market.functions, context.project
    if not own.leaves:
        opening = opening_of(context, own.update)
        return market.answer(number, round_, cohort, slot, own.commitment, opening.to_abi())
    chunk = context.client.complained_chunk(number, round_, cohort, slot, block=block)
    return market.answerChunk(number, round_, cohort, slot, update_chunk(context, own, chunk).to_abi())


def update_chunk(context: ProjectContext, own: Committed, chunk: int) -> UpdateChunk:
    """A chunk of an update as an answer shows it."""
    size, leaf = context.chunk_length, own.leaves[chunk]
    opening = chunk_opening_of(context, own.update[chunk * size : (chunk + 1) * size])
    tree = ChunkTree(own.leaves)
    return UpdateChunk(
        root=tree.root,
        point=Point(leaf.x, leaf.y),
        packed=opening.packed,
        path=tree.path(chunk),
        proof=opening.proof,
    )
