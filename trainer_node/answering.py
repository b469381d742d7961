"""Complaints about our update, answered on chain with the update itself, or with a chunk of it."""

from __future__ import annotations

from marketplace.chain.types import Block, Cohort, Project
from marketplace.errors import FairshareError, Reason
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.seats import Seat
from marketplace.node.vectors import answer_of
from trainer_node.prepared import Prepared


def answer_complaint(
    node: ProjectDaemon, project: Project, cohort: Cohort, seat: Seat, prepared: Prepared, block: Block
) -> None:
    """Answer the complaint about our slot, if one is open; `project` and `cohort` as read at `block`."""
    complained = cohort.round == project.round and cohort.complained >> seat.slot & 1
    if not complained or block.timestamp >= project.answer_deadline or prepared.own is None:
        return
    number, round_ = node.context.project, project.round
    node.log.warning("complained about: answering with the update", round=round_, slot=seat.slot)
    own = prepared.own.committed
    call = answer_of(node.context, round_, seat.cohort, seat.slot, own, block.number)
    try:
        intent = f"answer:{number}:{round_}:{seat.cohort}:{seat.slot}"
        answered = node.attempt(intent, call, round_, project.answer_deadline)
    except FairshareError as error:
        if error.reason is not Reason.INTEGRITY:
            raise
        node.log.error("the answer is refused", round=round_, slot=seat.slot, problem=error.message)
        return
    if answered:
        node.log.info("answered", round=round_, slot=seat.slot)
