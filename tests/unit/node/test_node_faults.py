"""What is false in a round on the sketch path is found, and named as a question that nobody can answer."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from marketplace.chain.types import ChallengeKind, SketchStatement
from marketplace.node.models import ModelReference
from marketplace.node.project import ProjectContext
from marketplace.node.sketch import faults
from marketplace.node.sketch.faults import Question
from marketplace.node.sketch.record import CohortRecord, RoundRecord
from marketplace.node.sketch.sums import sketch_of_move
from marketplace.protocol.chunk_tree import ChunkTree, Leaf
from marketplace.protocol.krum import mask
from marketplace.protocol.sketch_check import SUM
from tests.support.local_store import LocalStore
from tests.support.sketched import CHUNK_LENGTH, CHUNKS, CID, LENGTH, WIDTH, sketch_files, sketched_context
from zk import curve
from zk.curve import Point

SEED, MERGED = bytes(range(32)), (0, 2)


@pytest.fixture(scope="module")
def context() -> ProjectContext:
    return sketched_context(sketch_files(), LocalStore())


@dataclass
class Round:
    """A true round: three updates, of which two are merged."""

    context: ProjectContext
    updates: list[NDArray[np.int16]]
    before: NDArray[np.int32]
    after: NDArray[np.int32]
    old: ChunkTree
    new: ChunkTree
    trees: dict[int, ChunkTree]
    record: RoundRecord

    @property
    def result(self) -> CohortRecord:
        return self.record.results[0]

    def false_sum(self, **changes: Any) -> Question | None:
        given = {"before": self.old, "after": self.new, "merged": self.trees} | changes
        return faults.false_sum(self.context, self.result, **given)

    def with_sketch(self, slot: int, point: Point) -> RoundRecord:
        """The record with another commitment for an input."""
        statement, at = self.result.statement, curve.SIZE * slot
        commitments = statement.commitments[:at] + curve.to_bytes(point) + statement.commitments[at + 64 :]
        false = dataclasses.replace(statement, commitments=commitments)
        return dataclasses.replace(self.record, results=(dataclasses.replace(self.result, statement=false),))


@pytest.fixture(scope="module")
def true_round(context: ProjectContext) -> Round:
    random, committer = np.random.default_rng(5), context.tree_committer
    updates = [random.integers(-300, 300, LENGTH).astype(np.int16) for _ in range(3)]
    before = random.integers(-(10**6), 10**6, LENGTH).astype(np.int32)
    after = before + sum(updates[slot].astype(np.int32) for slot in MERGED)
    old, new = committer.tree(before), committer.tree(after)
    trees = {slot: committer.tree(update) for slot, update in enumerate(updates)}
    sketcher = context.sketcher(SEED)
    points = [committer.sketch_commitment(sketcher.sketch(update)) for update in updates]
    statement = SketchStatement(
        commitments=b"".join(curve.to_bytes(point) for point in [*points, committer.zero]),
        gram=bytes(32),
        roots=(*(trees[slot].root for slot in range(3)), bytes(32)),
        present=0b111,
        merged=mask(MERGED),
        sum=Point(0, 0),
        root=new.root,
    )
    nothing: Any = None
    result = CohortRecord(0, nothing, statement, old.root, new.root, CID)
    reference = ModelReference(0, CID, committer.commitment(old))
    merged = {slot: trees[slot] for slot in MERGED}
    return Round(
        context, updates, before, after, old, new, merged, RoundRecord(1, SEED, reference, (result,))
    )


def test_a_true_round_has_no_fault(context: ProjectContext, true_round: Round) -> None:
    record, result = true_round.record, true_round.result
    for slot, update in enumerate(true_round.updates):
        assert faults.false_sketch(context, record, result, slot, update) is None
    assert faults.false_move(context, record, true_round.before, true_round.after) is None
    assert faults.false_points(context, result, true_round.after, true_round.new) is None
    assert true_round.false_sum() is None
    assert (record.before_root, record.after_root) == (true_round.old.root, true_round.new.root)


def test_a_false_sketch_is_asked_about_by_its_slot_and_shows_in_the_move(
    context: ProjectContext, true_round: Round
) -> None:
    false = true_round.with_sketch(2, true_round.result.commitment(1))
    asked = faults.false_sketch(context, false, false.results[0], 2, true_round.updates[2])
    assert asked is not None
    assert (asked.kind, asked.cohort, asked.slot) == (ChallengeKind.SKETCH, 0, 2)
    moved = faults.false_move(context, false, true_round.before, true_round.after)
    assert moved is not None
    assert (moved.kind, moved.slot) == (ChallengeKind.SKETCH, SUM)
    assert asked.name != moved.name


def test_a_false_sketch_of_what_is_not_merged_moves_nothing(
    context: ProjectContext, true_round: Round
) -> None:
    false = true_round.with_sketch(1, true_round.result.commitment(0))
    assert faults.false_move(context, false, true_round.before, true_round.after) is None


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_chunk_that_is_merged_wrongly_is_found(
    context: ProjectContext, true_round: Round, chunk: int
) -> None:
    false = true_round.after.copy()
    false[(chunk + 1) * CHUNK_LENGTH - 1] += 1
    asked = true_round.false_sum(after=context.tree_committer.tree(false))
    assert asked is not None
    assert (asked.kind, asked.cohort, asked.chunk) == (ChallengeKind.CHUNK, 0, chunk)
    assert faults.false_move(context, true_round.record, true_round.before, false) is not None


def test_a_leaf_that_is_not_of_the_models_bytes_is_found(context: ProjectContext, true_round: Round) -> None:
    leaves = list(true_round.new.leaves)
    other = leaves[0]
    leaves[1] = Leaf(other.x, other.y, leaves[1].hash)
    asked = faults.false_points(context, true_round.result, true_round.after, ChunkTree(tuple(leaves)))
    assert asked is not None
    assert (asked.kind, asked.chunk) == (ChallengeKind.CHUNK, 1)


def test_the_sketch_of_a_move_is_that_of_its_numbers_beyond_int32(context: ProjectContext) -> None:
    sketcher = context.sketcher(SEED)
    low, high = (np.full(LENGTH, end, dtype=np.int32) for end in (-(2**31), 2**31 - 1))
    assert LENGTH % WIDTH == 0
    wide = high.astype(np.int64) - low
    assert (sketch_of_move(sketcher, low, high) == sketcher.sketch(wide)).all()
