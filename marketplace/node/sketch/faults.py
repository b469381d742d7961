"""What is false in a round on the sketch path, as a question that whoever posted it cannot answer (docs/sketch.md).

Each check is of what its arguments hold; nothing is fetched or sent here but by `Shelf`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketplace.chain.types import ChallengeKind
from marketplace.node.project import ProjectContext
from marketplace.node.sketch.record import CohortRecord, RoundRecord
from marketplace.node.sketch.sums import sketch_of_move
from marketplace.protocol.chunk_tree import ChunkTree, Leaf
from marketplace.protocol.sketch_check import SUM
from marketplace.updates.tree_committer import points_of
from zk.chunk_sums import sums_hold


@dataclass(frozen=True)
class Question:
    """What to ask; `why` for the log."""

    kind: ChallengeKind
    cohort: int
    why: str
    slot: int = 0  # Sketch: the input, or `SUM`
    chunk: int = 0  # Chunk

    @property
    def name(self) -> str:
        """Of the question, among those of its round."""
        return f"{self.kind.name.lower()}:{self.cohort}:{self.slot}:{self.chunk}"


def false_sketch(
    context: ProjectContext, record: RoundRecord, result: CohortRecord, slot: int, update: NDArray[np.int16]
) -> Question | None:
    """Where the commitment that a result gives for an input is not that of the sketch of its `update`."""
    sketch = context.sketcher(record.seed).sketch(update)
    if context.tree_committer.sketch_commitment(sketch) == result.commitment(slot):
        return None
    return Question(ChallengeKind.SKETCH, result.cohort, "the commitment is not of our update's sketch", slot)


def false_move(
    context: ProjectContext, record: RoundRecord, before: NDArray[np.int32], after: NDArray[np.int32]
) -> Question | None:
    """Where the merged sketches do not add up to the sketch of what the model moved by."""
    sketch = sketch_of_move(context.sketcher(record.seed), before, after)
    committer = context.tree_committer
    if committer.sketch_commitment(sketch) == record.sum(committer.zero):
        return None
    return Question(ChallengeKind.SKETCH, 0, "the merged sketches are not the model's move", SUM)


def false_points(
    context: ProjectContext, result: CohortRecord, model: NDArray[np.int32], tree: ChunkTree
) -> Question | None:
    """Where a leaf of the new model is not of its bytes."""
    if context.tree_committer.agrees(model, tree.leaves):
        return None
    chunk = first_other(context.tree_committer.tree(model).leaves, tree.leaves)
    return Question(ChallengeKind.CHUNK, result.cohort, "a leaf is not of the model's bytes", chunk=chunk)


def false_sum(
    context: ProjectContext,
    result: CohortRecord,
    before: ChunkTree,
    after: ChunkTree,
    merged: dict[int, ChunkTree],
) -> Question | None:
    """Where a chunk's point is not what merging makes of it."""
    points = [points_of(merged[slot].leaves) for slot in result.merged]
    zero = context.tree_committer.zero
    chunk = sums_hold(points_of(before.leaves), points_of(after.leaves), points, zero)
    if chunk is None:
        return None
    return Question(
        ChallengeKind.CHUNK, result.cohort, "a chunk is not the sum of what was merged", chunk=chunk
    )


def first_other(true: tuple[Leaf, ...], stated: tuple[Leaf, ...]) -> int:
    """The first chunk whose leaf is another; ValueError where there is none."""
    for chunk, (a, b) in enumerate(zip(true, stated, strict=True)):
        if a != b:
            return chunk
    raise ValueError("the leaves are the same")
