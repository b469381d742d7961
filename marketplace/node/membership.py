"""What ends every member's part in a project, and the calls that anyone may make to move it on."""

from __future__ import annotations

from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import Block, Project
from marketplace.errors import FairshareError, Reason
from marketplace.node.logging import Logger
from marketplace.node.overdue import Move, overdue
from marketplace.node.project import ProjectContext

# The state moved between our reading it and our transaction: read again, nothing is wrong.
RACES = frozenset({Reason.REFUSED, Reason.DEADLINE_PASSED})


def move_on(
    context: ProjectContext,
    sender: TransactionSender,
    project: Project,
    block: Block,
    log: Logger,
    *,
    patience_s: int = 0,
) -> bool:
    """Make the move that has been due for `patience_s` seconds, if any; True if it was made."""
    due = overdue(project, context.terms, block.timestamp)
    if due is None or block.timestamp - due[1] < patience_s:
        return False
    move, market, number = due[0], context.client.market.functions, context.project
    call = {
        Move.START: lambda: market.start(number),
        Move.CANCEL: lambda: market.cancel(number),
        Move.SKIP: lambda: market.skip(number, project.round, 0),
        Move.TIMEOUT: lambda: market.timeout(number, project.round),
    }[move]()
    intent = f"{move}:{number}:{project.round}:{project.aggregator_index}:{project.trainer_count}"
    try:
        sender.send(intent, call)
    except FairshareError as error:
        if error.reason not in RACES:
            raise
        log.info("another was first", move=move, problem=error.message)
        return False
    log.info("moved on", move=move, round=project.round)
    return True


def collect_dues(context: ProjectContext, sender: TransactionSender, log: Logger) -> None:
    """After a project's end: unlock what is ours in the vault, and claim what we are owed."""
    client, number = context.client, context.project
    locked = client.locked_of(number, sender.address)
    if locked:
        sender.send(f"release:{number}", client.market.functions.release(number))
        log.info("released", amount=str(locked))
    credit = client.credit_of(context.terms.token, sender.address)
    if credit:
        sender.send(f"claim:{number}", client.market.functions.claim(context.terms.token, sender.address))
        log.info("claimed", amount=str(credit))
