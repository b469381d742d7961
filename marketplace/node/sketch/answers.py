"""Answers to questions about a round on the sketch path, and refutations of false ones, as the contract takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from web3.contract.contract import ContractFunction

from marketplace.chain.sketch_types import NO_LEAF
from marketplace.chain.types import (
    ChunkFacts,
    LeafPath,
    ShownChunk,
    SketchEvidence,
    SketchFacts,
)
from marketplace.errors import FairshareError, Reason
from marketplace.node.models import ModelReference
from marketplace.node.openings import chunk_opening_of
from marketplace.node.project import ProjectContext
from marketplace.node.sketch.artifacts import Shelf, reference_of
from marketplace.node.sketch.record import RoundRecord
from marketplace.protocol.chunk_tree import ChunkTree
from marketplace.protocol.sketch_check import sketch_challenge
from marketplace.updates.sketch_values import chunk_values
from zk.curve import Point

Vector = NDArray[np.signedinteger[Any]]


def show_chunk(shelf: Shelf, record: RoundRecord, facts: ChunkFacts) -> ContractFunction:
    """The call that shows a chunk of a new model, from what is published. Raises UNAVAILABLE, INTEGRITY."""
    context, chunk = shelf.context, facts.chunk
    at = next((at for at, result in enumerate(record.results) if result.cohort == facts.cohort), None)
    if at is None:
        raise FairshareError(
            Reason.INTEGRITY,
            f"the endpoint does not serve the result of cohort {facts.cohort}",
            "use another",
        )
    result = record.results[at]
    before = reference_of(context, record.results[at - 1]) if at else record.before
    merged = shelf.update_trees(result)
    after = reference_of(context, result)
    tree = shelf.tree(after)
    opening = chunk_opening_of(context, _chunk(context, shelf.model(after), chunk))
    shown = ShownChunk(
        before=leaf_path(shelf.tree(before), chunk),
        merged=tuple(leaf_path(merged[slot], chunk) for slot in result.merged),
        packed=opening.packed,
        path=tree.path(chunk),
        proof=opening.proof,
    )
    return context.client.market.functions.showChunk(context.project, facts.to_abi(), shown.to_abi())


def challenge_of(context: ProjectContext, facts: SketchFacts) -> int:
    """z."""
    point = facts.commitment
    return sketch_challenge(context.terms.circuit, point.x, point.y, facts.before, facts.root, facts.seed)


def values_of(context: ProjectContext, facts: SketchFacts, vector: Vector) -> list[int]:
    """The true values: `vector` is the update, or the model's move, int64."""
    sketcher, z = context.sketcher(facts.seed), challenge_of(context, facts)
    return chunk_values(sketcher, vector, context.chunk_length, context.circuit.logrows, z)


def refute(
    context: ProjectContext, facts: SketchFacts, values: Sequence[int], chunk: int, evidence: SketchEvidence
) -> ContractFunction:
    """The call that shows that the value of `chunk` is false."""
    return context.client.market.functions.refuteSketch(
        context.project, facts.to_abi(), chunk, list(values), evidence.to_abi()
    )


def evidence_of_update(
    context: ProjectContext, update: NDArray[np.int16], tree: ChunkTree, chunk: int
) -> SketchEvidence:
    """A chunk of an update."""
    packed = _packed(_chunk(context, update, chunk))
    return SketchEvidence(NO_LEAF, b"", leaf_path(tree, chunk), packed)


def evidence_of_move(
    shelf: Shelf, before: ModelReference, after: ModelReference, chunk: int
) -> SketchEvidence:
    """A chunk of the models around a round. Raises UNAVAILABLE, INTEGRITY."""
    old, new = (
        _packed(_chunk(shelf.context, shelf.model(reference), chunk)) for reference in (before, after)
    )
    trees = [leaf_path(shelf.tree(reference), chunk) for reference in (before, after)]
    return SketchEvidence(trees[0], old, trees[1], new)


def leaf_path(tree: ChunkTree, chunk: int) -> LeafPath:
    """A leaf, and its way up."""
    leaf = tree.leaves[chunk]
    return LeafPath(Point(leaf.x, leaf.y), leaf.hash, tree.path(chunk))


def _chunk(context: ProjectContext, vector: Vector, chunk: int) -> Vector:
    return vector[chunk * context.chunk_length : (chunk + 1) * context.chunk_length]


def _packed(chunk: Vector) -> bytes:
    return chunk.astype(chunk.dtype.newbyteorder("<"), copy=False).tobytes()
