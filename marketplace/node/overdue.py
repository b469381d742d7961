"""Which call, open to anyone, moves a project on once a deadline has passed (docs/protocol.md, "Life of a project")."""

from __future__ import annotations

from enum import StrEnum

from marketplace.chain.types import Project, Status, Terms
from marketplace.protocol.krum import quorum


class Move(StrEnum):
    """A permissionless call of the market."""

    START = "start"
    CANCEL = "cancel"
    SKIP = "skip"
    TIMEOUT = "timeout"


def overdue(project: Project, terms: Terms, now: int) -> tuple[Move, int] | None:
    """The move that anyone may make at block time `now`, and since when it could be made; None: none is due."""
    fewest = quorum(terms.slots, terms.faults)
    if project.status is Status.OPEN:
        full = project.trainer_count == terms.slots
        late = now >= project.join_deadline
        if project.aggregator_count and (full or (late and project.trainer_count >= fewest)):
            return Move.START, now if full and not late else project.join_deadline
        return (Move.CANCEL, project.join_deadline) if late else None
    if project.status is not Status.ACTIVE or now < project.submit_deadline:
        return None
    if project.submitted_count < fewest:
        return Move.SKIP, project.submit_deadline
    if now >= project.result_deadline:
        return Move.TIMEOUT, project.result_deadline
    return None
