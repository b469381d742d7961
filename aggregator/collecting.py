"""Fetch a round's sealed updates, open them, and check each against its digest and commitment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from aggregator.arrived import Arrived, Submission
from aggregator.kept import Kept
from marketplace.chain.events import AggregatorTimedOut, KeyResealed, UpdateAnswered, fetch
from marketplace.chain.types import Address, Block, Cohort, Project
from marketplace.errors import FairshareError, Reason
from marketplace.node.daemon import ProjectDaemon
from marketplace.protocol.digests import update_digest
from marketplace.protocol.krum import members
from marketplace.storage.cid import from_digest
from marketplace.updates.envelope import OpenedUpdate, open_update, sealed_update_bytes
from zk.curve import Point

FETCHES_AT_ONCE = 16


@dataclass
class Case:
    """A cohort's round that is not concluded, and what has come of it so far, by slot (K: the reference)."""

    index: int
    cohort: Cohort
    arrived: Arrived
    updates: dict[int, OpenedUpdate] = field(default_factory=dict)
    unopenable: dict[int, str] = field(default_factory=dict)  # for good: not what was committed to
    missing: dict[int, str] = field(default_factory=dict)  # nobody serves it yet

    @property
    def complained(self) -> frozenset[int]:
        """Slots with an open complaint: absent, unless an answer comes in time."""
        return frozenset(members(self.cohort.complained))

    @property
    def unknown(self) -> frozenset[int]:
        """Slots that keep the round from its result: submitted, not opened, and not complained about."""
        return frozenset(self.arrived.submissions) - set(self.updates) - self.complained

    def usable(self) -> dict[int, OpenedUpdate]:
        """The updates that go into the result."""
        return {slot: opened for slot, opened in self.updates.items() if slot not in self.complained}


def collect(
    node: ProjectDaemon, project: Project, cases: Sequence[Case], block: Block, *, timeout_s: float
) -> None:
    """Try once for every update that is not there yet: in the journal, on chain as an answer, in storage."""
    kept = Kept(node.journal, node.context.project, project.round)
    resealed = _resealed(node, project, block)
    wanted: list[tuple[Case, Submission]] = []
    for case in cases:
        case.missing.clear()
        _recall(node, kept, case)
        _take_answers(node, project, kept, case, block)
        for slot, submission in case.arrived.submissions.items():
            if slot in case.updates or slot in case.unopenable or slot in case.complained:
                continue
            if resealed is not None and submission.holder not in resealed:
                case.missing[slot] = "its key is not sealed to this aggregator yet"
            else:
                wanted.append((case, submission))
    with ThreadPoolExecutor(FETCHES_AT_ONCE) as pool:
        blobs = [pool.submit(_fetch, node, submission.blob, timeout_s) for _, submission in wanted]
    for (case, submission), blob in zip(wanted, blobs, strict=True):
        try:
            sealed = (resealed or {}).get(submission.holder)
            opened = _open(node, project.round, submission, blob.result(), sealed)
        except FairshareError as error:
            if error.reason is Reason.STORAGE_UNREACHABLE:
                raise
            by_slot = case.unopenable if error.reason is Reason.INTEGRITY else case.missing
            by_slot[submission.slot] = error.message
            continue
        kept.keep_update(case.index, submission.slot, opened)
        case.updates[submission.slot] = opened


def _recall(node: ProjectDaemon, kept: Kept, case: Case) -> None:
    """What an earlier run of this node has opened."""
    for slot, submission in case.arrived.submissions.items():
        if slot in case.updates:
            continue
        opened = kept.update(case.index, slot, node.context.length)
        if opened is not None and is_committed(opened.commitment, submission):
            case.updates[slot] = opened


def _take_answers(node: ProjectDaemon, project: Project, kept: Kept, case: Case, block: Block) -> None:
    """Updates that a complaint brought on chain."""
    if not set(members(case.cohort.answered)) - set(case.updates):
        return
    events = fetch(
        node.context.client, [UpdateAnswered], node.context.project, project.round, to_block=block.number
    )
    for event in events:
        submission = case.arrived.submissions.get(event.slot)
        if event.cohort != case.index or submission is None or event.slot in case.updates:
            continue
        opened = answered_update(event, node.context.length)
        if not is_committed(opened.commitment, submission):
            raise _not_served("the answer to a complaint")
        _check(node, opened)
        kept.keep_update(case.index, event.slot, opened)
        case.updates[event.slot] = opened
        case.unopenable.pop(event.slot, None)


def answered_update(event: UpdateAnswered, length: int) -> OpenedUpdate:
    """The update, int16 [length], that an answer shows; INTEGRITY for another length."""
    if len(event.packed) != 2 * length:
        raise _not_served("the answer to a complaint")
    update = np.frombuffer(event.packed, dtype="<i2").astype(np.int16)
    return OpenedUpdate(update, Point(event.x, event.y))


def is_committed(commitment: Point, submission: Submission) -> bool:
    """Whether the submission's digest is this commitment's."""
    return update_digest(*commitment, submission.holder) == submission.digest


def _resealed(node: ProjectDaemon, project: Project, block: Block) -> Mapping[Address, bytes] | None:
    """None while the round's updates are sealed to us; after a take-over the keys sealed anew to us, by holder."""
    client, number = node.context.client, node.context.project
    if not fetch(client, [AggregatorTimedOut], number, project.round, to_block=block.number):
        return None
    return {
        event.sender: event.sealed_key
        for event in fetch(client, [KeyResealed], number, project.round, to_block=block.number)
        if event.aggregator_index == project.aggregator_index
    }


def _fetch(node: ProjectDaemon, digest: bytes, timeout_s: float) -> bytes:
    limit = sealed_update_bytes(node.context.length)
    return node.context.store.fetch(from_digest(digest), max_bytes=limit, timeout_s=timeout_s)


def _open(
    node: ProjectDaemon, round_: int, submission: Submission, blob: bytes, sealed: bytes | None
) -> OpenedUpdate:
    context = node.context
    bound_to = context.update_context(round_, submission.holder)
    opened = open_update(blob, node.key, bound_to, submission.digest, context.length, sealed_key=sealed)
    _check(node, opened)
    return opened


def _check(node: ProjectDaemon, opened: OpenedUpdate) -> None:
    if node.context.committer.commit(opened.update) != opened.commitment:
        raise FairshareError(Reason.INTEGRITY, "the update is not the one committed to")


def _not_served(what: str) -> FairshareError:
    return FairshareError(
        Reason.INTEGRITY, f"{what} is not as the chain would have accepted it", "use another endpoint"
    )
