"""Batches: posting what trainers handed over, and finding the list behind a batch that was posted."""

from __future__ import annotations

from aggregator.intake import Desk
from aggregator.kept import Kept
from marketplace.chain.events import BatchPosted, fetch
from marketplace.chain.types import Block, Cohort, Project, Terms
from marketplace.errors import FairshareError, Reason
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.reorganisation import final_project
from marketplace.node.seats import Seat, cohort_trainers
from marketplace.storage.cid import digest_of, from_digest
from marketplace.storage.reasons import Purpose
from marketplace.updates.batch import MAX_BATCH_BYTES, Batch, unpack_batch

LIST_S = 5.0  # for one attempt at the list of another's batch
MARGIN = 0.25  # share of the batch window that is left for the transaction
MOST_MARGIN_S = 60


def closes_at(terms: Terms, project: Project) -> int:
    """The block time from which the contract takes no batch in this round."""
    return project.submit_deadline - terms.submit_window + terms.batch_window


def margin_s(terms: Terms) -> float:
    """How long before that batches are posted."""
    return min(MOST_MARGIN_S, MARGIN * terms.batch_window)


def run_desk(node: ProjectDaemon, desk: Desk, project: Project, index: int, block: Block) -> None:
    """While the batch window of a round lasts, and the turn is ours (`index`): take submissions, then post them.

    Not before the project's start is final. Until then a reorganisation may seat the trainers otherwise, and a batch
    that was signed by those who sat there before says of everybody that they are in it.
    """
    terms, number = node.context.terms, node.context.project
    if project.aggregator_index != index or block.timestamp >= closes_at(terms, project):
        desk.close()
        return
    kept = Kept(node.journal, number, project.round)
    if desk.round != project.round:
        final = final_project(node.context, project, block)
        if final is None or not final.round:
            desk.close()
            return
        closed = {index for index in range(project.cohorts) if kept.batch(index) is not None}
        desk.open(project.round, _seats(node, project), closed)
    late = block.timestamp >= closes_at(terms, project) - margin_s(terms)
    for index in range(project.cohorts):
        cohort = node.context.client.cohort(number, index, block=block.number)
        if cohort.round == project.round and cohort.batched:
            continue
        batch = kept.batch(index)
        if batch is None and (late or desk.is_complete(index)):
            batch = desk.cut(index)
        if batch is not None:
            _post(node, project, index, batch)


def list_of(node: ProjectDaemon, project: Project, index: int, cohort: Cohort) -> Batch | None:
    """The list behind a cohort's batch, from the journal or from storage; None where it cannot be had now."""
    kept = Kept(node.journal, node.context.project, project.round)
    batch = kept.batch(index, cohort.batch_root)
    if batch is not None:
        return batch
    events = fetch(node.context.client, [BatchPosted], node.context.project, project.round)
    for event in events:
        if event.cohort == index and event.root == cohort.batch_root:
            batch = _fetch_list(node, event)
    if batch is not None:
        kept.keep_batch(index, batch)
    return batch


def _fetch_list(node: ProjectDaemon, event: BatchPosted) -> Batch | None:
    try:
        packed = node.context.store.fetch(
            from_digest(event.list), max_bytes=MAX_BATCH_BYTES, timeout_s=LIST_S
        )
        batch = unpack_batch(packed)
    except FairshareError as error:
        if error.reason not in (Reason.UNAVAILABLE, Reason.INTEGRITY, Reason.TOO_LARGE):
            raise
        node.log.warning("no list of the batch", cohort=event.cohort, problem=error.message)
        return None
    if (batch.root, batch.slots) != (event.root, event.slots):
        node.log.warning("the list of the batch is not the one posted", cohort=event.cohort)
        return None
    return batch


def _post(node: ProjectDaemon, project: Project, index: int, batch: Batch) -> None:
    """The list goes to storage first: trainers look for themselves in it."""
    number, round_ = node.context.project, project.round
    cid = node.context.store.add(batch.pack(), node.context.why(round_, Purpose.BATCH))
    call = node.context.client.market.functions.postBatch(
        number, round_, index, batch.slots, batch.root, digest_of(cid)
    )
    intent = f"batch:{number}:{round_}:{index}:{project.aggregator_index}"
    if node.attempt(intent, call, round_, closes_at(node.context.terms, project)):
        node.log.info("batch posted", round=round_, cohort=index, entries=len(batch.entries))


def _seats(node: ProjectDaemon, project: Project) -> dict[str, Seat]:
    """Who sits where in the round, by address."""
    slots, client, number = node.context.terms.slots, node.context.client, node.context.project
    seats: dict[str, Seat] = {}
    for cohort in range(project.cohorts):
        trainers = cohort_trainers(client, number, project, slots, project.round, cohort)
        for slot, trainer in enumerate(trainers):
            if trainer is not None:
                seats[trainer] = Seat(cohort * slots + slot, cohort, slot)
    return seats
