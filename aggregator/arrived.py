"""What a cohort's round received, once its window has closed: whose updates are to be had, and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from marketplace.chain.events import ReferenceSubmitted, UpdateSubmitted, fetch
from marketplace.chain.types import Address, Arrivals, Block, Cohort, Project, ScoreRule
from marketplace.node.arrivals import arrivals, received
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.lagging import lagging
from marketplace.node.seats import cohort_trainers
from marketplace.node.signatures import signed_by
from marketplace.updates.batch import Batch


@dataclass(frozen=True)
class Submission:
    """A digest on chain, or in the batch, and where its sealed update is."""

    slot: int  # K: the owner's reference
    holder: Address
    digest: bytes  # 32: of commitment and holder
    blob: bytes  # 32: digest of the sealed update's CIDv0


@dataclass(frozen=True)
class Arrived:
    """A cohort's submissions by slot, and what the contract wants to see of them."""

    arrivals: Arrivals
    submissions: Mapping[int, Submission]  # the valid ones
    positions: tuple[int, ...]  # of the trainers' slots, from 1; 0: nothing valid
    reference: bytes | None = None  # digest of the owner's update, where there is one


def arrived(
    node: ProjectDaemon, project: Project, index: int, cohort: Cohort, block: Block, batch: Batch | None
) -> Arrived:
    """What cohort `index` of the round under way received; `project` and `cohort` as read at `block`.

    `batch`: the list where one was posted and could be had. Raises UNAVAILABLE (`lagging`) where the endpoint's events
    are not those that the chain holds.
    """
    client, number, slots = node.context.client, node.context.project, node.context.terms.slots
    known = arrivals(client, number, project.round, index, slots, batch=batch, block=block.number)
    found: dict[int, Submission] = {}
    batched = cohort.batched if batch is not None else 0
    trainers: tuple[Address | None, ...] = (None,) * slots
    if batch is not None:
        trainers = cohort_trainers(client, number, project, slots, project.round, index)
    valid = received(known, slots, batched, signed_by(client, number, project.round, trainers))
    by_transaction = {
        event.slot: Submission(event.slot, event.trainer, event.digest, event.blob)
        for event in fetch(client, [UpdateSubmitted], number, project.round, to_block=block.number)
        if event.cohort == index
    }
    for slot in valid.slots:
        entry, holder = batch.entry(slot) if batch is not None else None, trainers[slot]
        if slot in by_transaction:
            found[slot] = by_transaction[slot]
        elif entry is not None and holder is not None:
            found[slot] = Submission(slot, holder, entry.digest, entry.blob)
    reference = _reference(node, project, block)
    if reference is not None:
        found[slots] = reference
    return Arrived(known, found, valid.positions, None if reference is None else reference.digest)


def _reference(node: ProjectDaemon, project: Project, block: Block) -> Submission | None:
    terms, number = node.context.terms, node.context.project
    if terms.score_rule is not ScoreRule.REFERENCE or project.reference_round != project.round:
        return None
    for event in fetch(
        node.context.client, [ReferenceSubmitted], number, project.round, to_block=block.number
    ):
        if event.digest == project.reference_digest:
            return Submission(terms.slots, project.owner, event.digest, event.blob)
    raise lagging(
        node.context.client,
        f"the endpoint does not serve the reference that the chain holds for round {project.round}",
    )
