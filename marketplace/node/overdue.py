"""Which calls, open to anyone, move a project on once a deadline has passed (docs/protocol.md, "Life of a project")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from marketplace.chain.types import Block, Challenge, ChallengeKind, Cohort, Project, Status, Terms
from marketplace.protocol.krum import quorum


class Move(StrEnum):
    """A permissionless call of the market."""

    START = "start"
    CANCEL = "cancel"
    DRAW = "draw"
    SKIP = "skip"
    TIMEOUT = "timeout"
    UNDO = "undo"
    DRAW_SKETCH = "draw-sketch"
    CLOSE_SKETCH = "close-sketch"
    SETTLE = "settle"


@dataclass(frozen=True)
class Due:
    """A move that anyone may make, and the block time since which it may be made."""

    move: Move
    since: int
    cohort: int = 0  # of a skip


@dataclass(frozen=True)
class Standing:
    """All that decides which moves are due, read at `block`."""

    block: Block
    terms: Terms
    project: Project
    cohorts: Sequence[Cohort] = ()  # of the round under way
    challenge: Challenge | None = None
    answer_stands: bool = False  # to a challenge of a sketch
    seeded_at: int | None = None  # time of the block whose hash is the seed, once there is one
    filled_at: int | None = None  # time of the latest joining; None: just now


def overdue(standing: Standing) -> list[Due]:
    """The moves that are due, the one to make first at the head."""
    match standing.project.status:
        case Status.OPEN:
            return list(_of_open(standing))
        case Status.DRAWING:
            seeded = standing.seeded_at
            return [] if seeded is None else [Due(Move.DRAW, seeded)]
        case Status.ACTIVE | Status.CLOSING:
            return list(_of_running(standing))
        case _:
            return []


def _of_open(standing: Standing) -> Iterator[Due]:
    project, terms, now = standing.project, standing.terms, standing.block.timestamp
    full = project.trainer_count == terms.trainers
    late = now >= project.join_deadline
    enough = full or (late and project.trainer_count >= quorum(terms.slots, terms.faults))
    if project.aggregator_count and enough:
        filled = now if standing.filled_at is None else standing.filled_at
        yield Due(Move.START, project.join_deadline if late else filled)
    elif late:
        yield Due(Move.CANCEL, project.join_deadline)


def _of_running(standing: Standing) -> Iterator[Due]:
    project, challenge, now = standing.project, standing.challenge, standing.block.timestamp
    if challenge is not None and challenge.kind is not ChallengeKind.NONE:
        if now >= challenge.deadline:
            move = Move.CLOSE_SKETCH if standing.answer_stands else Move.UNDO
            yield Due(move, challenge.deadline)
        return  # nothing else moves while a challenge is open
    if project.status is Status.CLOSING:
        if now >= project.challenge_deadline:
            yield Due(Move.SETTLE, project.challenge_deadline)
        return
    if now >= project.submit_deadline:
        yield from _of_round(standing)


def _of_round(standing: Standing) -> Iterator[Due]:
    project, now = standing.project, standing.block.timestamp
    fewest = quorum(standing.terms.slots, standing.terms.faults)
    awaited = False
    for index, cohort in enumerate(standing.cohorts):
        here = cohort.round == project.round
        if here and cohort.concluded:
            continue
        if updates_in(cohort, project.round) >= fewest:
            awaited = True
            continue
        since = project.submit_deadline
        if here and cohort.complained:
            since = max(since, project.answer_deadline)
        if now >= since:
            yield Due(Move.SKIP, since, index)
    if awaited and standing.terms.chunks and project.seed_round != project.round:
        yield Due(Move.DRAW_SKETCH, project.submit_deadline)
    if awaited and now >= project.result_deadline:
        yield Due(Move.TIMEOUT, project.result_deadline)


def updates_in(cohort: Cohort, round_: int) -> int:
    """Updates of a cohort's round that may still be merged: submitted or batched, and not complained about."""
    if cohort.round != round_:
        return 0
    return ((cohort.submitted | cohort.batched) & ~cohort.complained).bit_count()
