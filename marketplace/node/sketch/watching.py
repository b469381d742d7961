"""Watching over a closed round on the sketch path: everything in it that we can know to be false is challenged.

Whoever watches asks one question at a time, the first that nobody has asked. What cannot be had is waited for as on the
exact path, and then a chunk is asked for, any one, once for everybody: the deposit of another would buy no more.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from marketplace.chain.types import Block, ChallengeKind, Project
from marketplace.errors import FairshareError, Reason
from marketplace.node.challenging import (
    Watcher,
    challengeable,
    fetch_s,
    is_patient,
    raise_challenge,
)
from marketplace.node.reorganisation import is_seen, see
from marketplace.node.sketch import faults
from marketplace.node.sketch.artifacts import Shelf, reference_of
from marketplace.node.sketch.faults import Question
from marketplace.node.sketch.own import OwnInput
from marketplace.node.sketch.questions import any_chunk_asked, asked_before, question_call
from marketplace.node.sketch.record import RoundRecord, record_of
from marketplace.node.sketch.refuting import refute_false_answer

OWN_SEEN, FILES_SEEN, MOVE_SEEN = "own-sketch-seen", "files-seen", "move-seen"
ASKED_CHUNK = "asked-chunk"
_NOT_HAD = (Reason.UNAVAILABLE, Reason.INTEGRITY)

Own = Callable[[int], OwnInput | None]  # ours in a round, from the journal: read only where it is looked at
_Check = Callable[[], Question | None]


def guard_round(node: Watcher, project: Project, turn: int, own: Own, block: Block) -> None:
    """Look at the round that can be challenged, or at the answer to an open question. `turn`: see `watch_model`."""
    if not challengeable(project, block.timestamp) and not project.challenged:
        return
    if not project.challenged and _all_seen(node, project.outcome_round, block):
        return
    challenge = node.context.client.challenge(node.context.project, block=block.number)
    if challenge.kind is ChallengeKind.SKETCH:
        refute_false_answer(node, project, challenge, own(project.outcome_round), turn, block)
    elif challenge.kind is ChallengeKind.NONE and challengeable(project, block.timestamp):
        _watch(node, project, turn, own, block)


def _all_seen(node: Watcher, round_: int, block: Block) -> bool:
    return all(is_seen(node, round_, name, block) for name in (OWN_SEEN, FILES_SEEN, MOVE_SEEN))


def _watch(node: Watcher, project: Project, turn: int, own: Own, block: Block) -> None:
    context, round_ = node.context, project.outcome_round
    try:
        record = record_of(context, round_, block.number)
    except FairshareError as error:
        if error.reason not in _NOT_HAD:
            raise
        node.log.error("the round's record cannot be read", round=round_, problem=error.message)
        return  # the endpoint's fault, not one that a challenge could show
    node.peers.connect_to(project.outcome_index)
    shelf = Shelf(context, node.journal, fetch_s(context, project, block))
    problem: FairshareError | None = None
    for name, check in _checks(node, record, shelf, own):
        if is_seen(node, round_, name, block):
            continue
        try:
            question = check()
        except FairshareError as error:
            if error.reason not in _NOT_HAD:
                raise
            problem = error
            continue
        if question is None or asked_before(context, record, question, block.number):
            see(node, round_, name, block)
        else:
            _ask(node, record, question)
            return  # another's question may come first: look again after it
    if problem is None:
        return
    if is_patient(node, project, turn, block, problem):
        node.log.info("files of the round awaited", round=round_, problem=problem.message)
    elif (
        record.merging
        and not isinstance(problem, _NoBefore)
        and not any_chunk_asked(context, round_, block.number)
    ):
        _ask(node, record, _any_chunk(node, record, problem.message))
    else:
        node.log.error("the round cannot be looked at", round=round_, problem=problem.message)
        for name in (FILES_SEEN, MOVE_SEEN):
            see(node, round_, name, block)


def _checks(node: Watcher, record: RoundRecord, shelf: Shelf, own: Own) -> Iterator[tuple[str, _Check]]:
    yield OWN_SEEN, lambda: _look_at_own(node, record, own)
    yield FILES_SEEN, lambda: _look_at_files(record, shelf)
    yield MOVE_SEEN, lambda: _look_at_move(record, shelf)


def _look_at_own(node: Watcher, record: RoundRecord, own: Own) -> Question | None:
    ours = own(record.round)
    if ours is None:
        return None
    update = ours.committed.update
    looked_at = (
        faults.false_sketch(node.context, record, result, ours.slot, update)
        for result in ours.results(record)
    )
    return next((question for question in looked_at if question is not None), None)


class _NoBefore(FairshareError):
    """The model that the round started from cannot be had: that is not the round's fault."""


def _before(record: RoundRecord, shelf: Shelf) -> NDArray[np.int32]:
    try:
        shelf.tree(record.before)
        return shelf.model(record.before)
    except FairshareError as error:
        if error.reason not in _NOT_HAD:
            raise
        raise _NoBefore(Reason.UNAVAILABLE, error.message, error.hint) from error


def _look_at_files(record: RoundRecord, shelf: Shelf) -> Question | None:
    """The leaves of every model that the round made, and the bytes of the last one."""
    if record.merging:
        _before(record, shelf)
    before = record.before
    for result in record.merging:
        after = reference_of(shelf.context, result)
        old, new = shelf.tree(before), shelf.tree(after)
        question = faults.false_sum(shelf.context, result, old, new, shelf.update_trees(result))
        if question is not None:
            return question
        before = after
    if not record.merging:
        return None
    last = record.merging[-1]
    return faults.false_points(shelf.context, last, shelf.model(before), shelf.tree(before))


def _look_at_move(record: RoundRecord, shelf: Shelf) -> Question | None:
    if not record.merging:
        return None
    before = _before(record, shelf)
    after = shelf.model(reference_of(shelf.context, record.merging[-1]))
    return faults.false_move(shelf.context, record, before, after)


def _any_chunk(node: Watcher, record: RoundRecord, why: str) -> Question:
    """A chunk that nobody can foresee, and that is the same after a restart."""
    number, cohort = node.context.project, record.merging[-1].cohort
    chunk = node.journal.get(number, record.round, ASKED_CHUNK)
    if chunk is None:
        chunk = secrets.randbelow(node.context.chunks)
        node.journal.put(number, record.round, ASKED_CHUNK, chunk)
    return Question(ChallengeKind.CHUNK, cohort, why, chunk=chunk)


def _ask(node: Watcher, record: RoundRecord, question: Question) -> None:
    node.log.error(
        "round challenged",
        round=record.round,
        kind=question.kind.name.lower(),
        cohort=question.cohort,
        slot=question.slot,
        chunk=question.chunk,
        problem=question.why,
    )
    call = question_call(node.context, record, question)
    raise_challenge(node, record.round, question.name, call)
