"""Submitting through the aggregator's batch, and making sure of it: whoever is not in it submits by transaction."""

from __future__ import annotations

from marketplace.chain.events import BatchPosted, fetch
from marketplace.chain.submission import sign_submission
from marketplace.chain.types import Block, Cohort, Project
from marketplace.errors import FairshareError, Reason
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.hand_over import SignedSubmission, hand_over
from marketplace.node.seats import Seat
from marketplace.storage.cid import digest_of, from_digest
from marketplace.storage.reasons import Purpose
from marketplace.updates.batch import MAX_BATCH_BYTES, Batch, unpack_batch
from trainer_node.prepared import Prepared

RECEIPT, INCLUDED, SIGNATURE = "receipt", "in-batch", "submission-signature"
LIST_S = 10.0  # for one attempt at fetching the list


def needs_transaction(
    node: ProjectDaemon, project: Project, cohort: Cohort, seat: Seat, prepared: Prepared, block: Block
) -> bool:
    """Whether this round's submission has to go by transaction, by what is known at `block`.

    Until the batch window ends it is handed to the aggregator; then the posted list is looked through. A list that
    cannot be had is waited for during half of the time that is left for transactions.
    """
    terms = node.context.terms
    if not terms.batch_window or prepared.own is None:
        return True
    opened = project.submit_deadline - terms.submit_window
    if cohort.round == project.round and cohort.batched:
        last_call = project.submit_deadline - (terms.submit_window - terms.batch_window) // 2
        return not _is_included(node, project, seat, prepared, block, may_wait=block.timestamp < last_call)
    if block.timestamp >= opened + terms.batch_window:
        return True
    _hand_over(node, project, prepared)
    return False


def _hand_over(node: ProjectDaemon, project: Project, prepared: Prepared) -> None:
    """Once; an aggregator that does not answer is asked again at the next block."""
    context, journal = node.context, node.journal
    name = f"{RECEIPT}:{project.aggregator_index}"
    if journal.get(context.project, project.round, name) is not None:
        return
    url = node.peers.submission_url(project.aggregator_index)
    if url is None:
        return
    submission = SignedSubmission(
        context.project,
        project.round,
        node.sender.address,
        prepared.digest,
        digest_of(prepared.cid),
        _signature(node, project, prepared),
    )
    try:
        receipt = hand_over(url, submission, chain_id=context.client.chain_id)
    except FairshareError as error:
        if error.reason not in (Reason.UNAVAILABLE, Reason.BAD_INPUT):
            raise
        node.log.warning("not handed over", round=project.round, problem=error.message)
        return
    journal.put(context.project, project.round, name, receipt)
    node.log.info("handed over", round=project.round, aggregator=project.aggregator_index)


def _is_included(
    node: ProjectDaemon, project: Project, seat: Seat, prepared: Prepared, block: Block, *, may_wait: bool
) -> bool:
    """Whether the posted batch holds our digest with our signature; or the list may still come."""
    number, round_ = node.context.project, project.round
    if node.is_seen(round_, INCLUDED, block):
        return True
    posted = [
        event
        for event in fetch(node.context.client, [BatchPosted], number, round_)
        if event.cohort == seat.cohort
    ]
    if not posted:
        return may_wait  # the endpoint's logs lag behind its state
    try:
        batch = _list_of(node, posted[0])
    except FairshareError as error:
        if error.reason is Reason.UNAVAILABLE and may_wait:
            node.log.info("list of the batch awaited", round=round_, problem=error.message)
            return True
        if error.reason not in (Reason.UNAVAILABLE, Reason.INTEGRITY):
            raise
        node.log.warning("no list of the batch", round=round_, problem=error.message)
        return False
    entry = batch.entry(seat.slot)
    ours = (prepared.digest, _signature(node, project, prepared))
    if entry is None or (entry.digest, entry.signature) != ours:
        node.log.warning("left out of the batch", round=round_, slot=seat.slot)
        return False
    node.see(round_, INCLUDED, block)
    node.log.info("in the batch", round=round_, slot=seat.slot)
    return True


def _list_of(node: ProjectDaemon, event: BatchPosted) -> Batch:
    """The list behind a posted batch, kept on our storage node: a stand-in aggregator may need it. INTEGRITY where
    it is not what was posted."""
    node.peers.connect_to(event.aggregator_index)
    packed = node.context.store.fetch(from_digest(event.list), max_bytes=MAX_BATCH_BYTES, timeout_s=LIST_S)
    batch = unpack_batch(packed)
    if (batch.root, batch.slots) != (event.root, event.slots):
        raise FairshareError(Reason.INTEGRITY, "the list of the batch is not the one posted")
    node.context.store.add(packed, node.context.why(event.round, Purpose.BATCH))
    return batch


def _signature(node: ProjectDaemon, project: Project, prepared: Prepared) -> bytes:
    """Ours, of the prepared digest: made once, as not every signer makes the same one again."""
    client, number = node.context.client, node.context.project
    kept: bytes | None = node.journal.get_blob(number, project.round, SIGNATURE)
    if kept is not None:
        return kept
    signature = sign_submission(
        node.sender.account,
        client.chain_id,
        client.address,
        node.context.project,
        project.round,
        prepared.digest,
    )
    node.journal.put_blob(number, project.round, SIGNATURE, signature)
    return signature
