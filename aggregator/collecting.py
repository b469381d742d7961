"""Fetch a round's sealed updates, open them, and check each against its digest and commitment."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from aggregator.arrived import Arrived, Submission
from aggregator.path import Input, NotCommitted, Path
from marketplace.chain.events import AggregatorTimedOut, KeyResealed, fetch
from marketplace.chain.types import Address, Block, Cohort, Project
from marketplace.errors import FairshareError, Reason
from marketplace.node.daemon import ProjectDaemon
from marketplace.protocol.digests import update_digest
from marketplace.protocol.krum import members
from marketplace.storage.cid import from_digest
from zk.curve import Point

FIRST_TRY_S = 1.0  # for what is small, and may be served only now: storage asks anew at the second try
SMALL_BYTES = 1_000_000


@dataclass
class Case:
    """A cohort's round that is not concluded, and what has come of it so far, by slot (K: the reference)."""

    index: int
    cohort: Cohort
    arrived: Arrived
    updates: dict[int, Input] = field(default_factory=dict)
    unopenable: dict[int, str] = field(default_factory=dict)  # for good: not what was committed to
    missing: dict[int, str] = field(default_factory=dict)  # nobody serves it yet
    false_chunks: dict[int, int] = field(default_factory=dict)  # of the unopenable, where one is known
    left_out: frozenset[int] = frozenset()  # answered for, and not to be had all the same
    seed: bytes | None = None  # sketch path: that `updates` are sketched by
    tried: bool = False  # whether storage was asked

    @property
    def complained(self) -> frozenset[int]:
        """Slots with an open complaint: absent, unless an answer comes in time."""
        return frozenset(members(self.cohort.complained))

    @property
    def unknown(self) -> frozenset[int]:
        """Slots that keep the round from its result: submitted, not opened, and not complained about."""
        return frozenset(self.arrived.submissions) - set(self.updates) - self.complained - self.left_out

    @property
    def unanswered(self) -> frozenset[int]:
        """Of these, who has not answered a complaint: nobody is complained about twice."""
        return self.unknown - set(members(self.cohort.answered))

    def usable(self) -> dict[int, Input]:
        """The inputs that go into the result."""
        return {slot: opened for slot, opened in self.updates.items() if slot not in self.complained}


def collect(node: ProjectDaemon, path: Path, project: Project, cases: Sequence[Case], block: Block) -> None:
    """Try once for every update that is not there yet: in the journal, on chain as an answer, in storage."""
    resealed = _resealed(node, project, block)
    wanted: list[tuple[Case, Submission]] = []
    for case in cases:
        case.missing.clear()
        if case.seed != project.sketch_seed:  # which a reorganisation draws anew
            case.updates.clear()
            case.seed = project.sketch_seed
        with node.journal.atomic():  # what is sketched anew is written at once
            _recall(node, path, project, case)
        path.take_answers(node, project, case, block)
        for slot, submission in case.arrived.submissions.items():
            if slot in case.updates or slot in case.unopenable or slot in case.complained:
                continue
            if resealed is not None and submission.holder not in resealed:
                case.missing[slot] = "its key is not sealed to this aggregator yet"
            else:
                wanted.append((case, submission))
    for case, submission, blob in _fetched(node, path, wanted):
        key = (resealed or {}).get(submission.holder)
        try:
            opened = path.open(node, project, case.index, submission, blob.result(), key)
        except FairshareError as error:
            if error.reason in (Reason.STORAGE_UNREACHABLE, Reason.STORAGE_FULL):
                raise
            by_slot = case.unopenable if error.reason is Reason.INTEGRITY else case.missing
            by_slot[submission.slot] = error.message
            if isinstance(error, NotCommitted) and error.chunk is not None:
                case.false_chunks[submission.slot] = error.chunk
            continue
        case.updates[submission.slot] = opened
    for case in cases:
        case.tried = True
        case.left_out = path.left_out(project, case, block)


def _recall(node: ProjectDaemon, path: Path, project: Project, case: Case) -> None:
    """What an earlier run of this node has opened."""
    for slot, submission in case.arrived.submissions.items():
        if slot in case.updates:
            continue
        kept = path.recall(node, project.round, case.index, slot, project.sketch_seed)
        if kept is not None and is_committed(kept[0], submission):
            case.updates[slot] = kept[1]


def is_committed(commitment: Point, submission: Submission) -> bool:
    """Whether the submission's digest is this commitment's."""
    return update_digest(*commitment, submission.holder) == submission.digest


def _resealed(node: ProjectDaemon, project: Project, block: Block) -> Mapping[Address, bytes] | None:
    """None while the round's updates are sealed to us; after a take-over the keys sealed anew to us, by holder.

    Which those are the keys themselves say: an event has the aggregator in turn when it was mined, which after a
    reorganisation may be an earlier one than the key was sealed to.
    """
    client, number, found = node.context.client, node.context.project, dict[Address, bytes]()
    if not fetch(client, [AggregatorTimedOut], number, project.round, to_block=block.number):
        return None
    for event in fetch(client, [KeyResealed], number, project.round, to_block=block.number):
        to_us = event.aggregator_index == project.aggregator_index and event.sender not in found
        if to_us or node.key.opens(event.sealed_key):
            found[event.sender] = event.sealed_key
    return found


def _fetched(
    node: ProjectDaemon, path: Path, wanted: Sequence[tuple[Case, Submission]]
) -> Iterator[tuple[Case, Submission, Future[bytes]]]:
    """Their sealed updates, in order; no more than the path has room for are fetched and not looked at yet."""
    size = path.sealed_bytes(node)
    timeout_s = path.fetch_s(node.context.terms, len(wanted), size)
    if size <= SMALL_BYTES and not any(case.tried for case, _ in wanted):
        timeout_s = min(timeout_s, FIRST_TRY_S)

    def fetch_one(digest: bytes) -> bytes:
        return node.context.store.fetch(from_digest(digest), max_bytes=size, timeout_s=timeout_s)

    left = iter(wanted)
    with ThreadPoolExecutor(path.at_once) as pool:
        under_way = deque(
            (case, submission, pool.submit(fetch_one, submission.blob))
            for case, submission in islice(left, path.at_once)
        )
        while under_way:
            yield under_way.popleft()
            for case, submission in islice(left, 1):
                under_way.append((case, submission, pool.submit(fetch_one, submission.blob)))


def not_served(what: str) -> FairshareError:
    """INTEGRITY: the endpoint shows what the contract cannot have taken."""
    return FairshareError(
        Reason.INTEGRITY, f"{what} is not as the chain would have accepted it", "use another endpoint"
    )
