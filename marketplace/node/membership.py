"""The calls that anyone may make to move a project on, and how a call that others may forestall is made."""

from __future__ import annotations

from web3.contract.contract import ContractFunction

from marketplace.chain.events import AggregatorJoined, Event, TrainerJoined, fetch
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import Block, ChallengeKind, Project, Status
from marketplace.errors import FairshareError, Reason
from marketplace.node.logging import Logger
from marketplace.node.outcomes import outcomes
from marketplace.node.overdue import Due, Move, Standing, overdue
from marketplace.node.project import ProjectContext

# The state moved between our reading it and our transaction: read again, nothing is wrong.
RACES = frozenset({Reason.REFUSED, Reason.DEADLINE_PASSED})


def attempt(
    sender: TransactionSender,
    log: Logger,
    intent: str,
    call: ContractFunction,
    round_: int,
    deadline: int | None = None,
) -> bool:
    """Make the call happen once; False where the state moved on before it came, which is only reported.

    `deadline`: block time from which it is in vain.
    """
    try:
        sender.send(intent, call, deadline=deadline)
    except FairshareError as error:
        if error.reason not in RACES:
            raise
        log.warning("refused", round=round_, intent=intent, problem=error.message)
        return False
    return True


def move_on(
    context: ProjectContext,
    sender: TransactionSender,
    project: Project,
    block: Block,
    log: Logger,
    *,
    patience_s: int = 0,
) -> bool:
    """Make the moves that have been due for `patience_s` seconds, if any; True if one was made.

    What another has done since `block` is not sent again: the sender simulates each call on the pending block before it
    signs. `patience_s` differs between members, so that they do not all send in the same moment.
    """
    moved = False
    for due in overdue(standing_of(context, project, block)):
        if block.timestamp - due.since < patience_s:
            continue
        intent = f"{due.move}:{context.project}:{_occasion(project, due)}"
        try:
            sender.send(intent, _call(context, project, due))
        except FairshareError as error:
            if error.reason not in RACES:
                raise
            log.info("another was first", move=due.move, problem=error.message)
            continue
        log.info("moved on", move=due.move, round=project.round, cohort=due.cohort)
        moved = True
    return moved


def standing_of(context: ProjectContext, project: Project, block: Block) -> Standing:
    """Reads what decides which moves are due; `project` as read at `block`."""
    client, number = context.client, context.project
    if project.status is Status.DRAWING:
        drawn_by = int.from_bytes(project.seed, "big")
        seeded = client.block(drawn_by).timestamp if block.number >= drawn_by else None
        return Standing(block, context.terms, project, seeded_at=seeded)
    if project.status is Status.OPEN:
        return Standing(block, context.terms, project, filled_at=_filled_at(context, project, block))
    if project.status not in (Status.ACTIVE, Status.CLOSING):
        return Standing(block, context.terms, project)
    closed = project.status is Status.ACTIVE and block.timestamp >= project.submit_deadline
    challenge = client.challenge(number, block=block.number)
    asked = challenge.kind is ChallengeKind.SKETCH
    return Standing(
        block,
        context.terms,
        project,
        tuple(
            client.cohort(number, index, block=block.number)
            for index in range(project.cohorts if closed else 0)
        ),
        challenge,
        asked and client.standing_answer(number, block=block.number) is not None,
    )


def _filled_at(context: ProjectContext, project: Project, block: Block) -> int | None:
    """When the latest member joined; None where places are free, and nothing waits for it."""
    if project.trainer_count < context.terms.trainers or not project.aggregator_count:
        return None
    joined: list[Event] = fetch(
        context.client, [TrainerJoined, AggregatorJoined], context.project, to_block=block.number
    )
    return context.client.block(joined[-1].block_number).timestamp if joined else None


def _call(context: ProjectContext, project: Project, due: Due) -> ContractFunction:
    market, number = context.client.market.functions, context.project
    match due.move:
        case Move.START:
            return market.start(number)
        case Move.CANCEL:
            return market.cancel(number)
        case Move.DRAW:
            return market.draw(number)
        case Move.SKIP:
            return market.skip(number, project.round, due.cohort)
        case Move.TIMEOUT:
            return market.timeout(number, project.round)
        case Move.UNDO:
            return market.undo(number, [outcome.to_abi() for outcome in outcomes(context.client, number)])
        case Move.DRAW_SKETCH:
            return market.drawSketch(number, project.round)
        case Move.CLOSE_SKETCH:
            return market.closeSketch(number)
        case Move.SETTLE:
            return market.settle(number)


def _occasion(project: Project, due: Due) -> str:
    """What makes a move another effect than an earlier one of its kind."""
    if due.move is Move.DRAW:
        return project.seed.hex()
    return f"{project.round}:{due.cohort}:{project.aggregator_index}:{project.trainer_count}"
