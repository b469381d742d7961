"""Showing a challenged model on chain: its aggregator must, and anybody who holds the model can."""

from __future__ import annotations

from web3.contract.contract import ContractFunction

from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import Block, Challenge, ChallengeKind, Project
from marketplace.errors import FairshareError, Reason
from marketplace.node.logging import Logger
from marketplace.node.membership import attempt
from marketplace.node.models import fetch_current
from marketplace.node.openings import opening_of
from marketplace.node.project import ProjectContext

FETCH_S = 5.0  # for a stand-in's attempt at a model that it should hold
PUBLIC = (ChallengeKind.MODEL, ChallengeKind.CHUNK)  # answered with what every member may have
_PARTS, _LAST_TURN = 16, 4  # of an answer window


def stands_in(challenge: Challenge, answer_window: int, turn: int, now: int) -> bool:
    """Whether it is time to answer for another's model: from half of the window, later by 1/16 of it each `turn`.

    What the accused leaves unanswered undoes a round that everybody else worked for; whoever answers is out of the gas
    only. The turns keep them from answering all at once.
    """
    left = answer_window * (_PARTS // 2 - min(turn, _LAST_TURN)) // _PARTS
    return challenge.kind in PUBLIC and challenge.deadline - left <= now < challenge.deadline


def stand_in(
    context: ProjectContext, sender: TransactionSender, log: Logger, project: Project, block: Block, turn: int
) -> None:
    """Show a model whose aggregator has not, where it is time and we hold it. `turn`: ours among stand-ins, from 0."""
    if not project.challenged:
        return
    challenge = context.client.challenge(context.project, block=block.number)
    if not stands_in(challenge, context.terms.answer_window, turn, block.timestamp):
        return
    try:
        call = answer_of(context, project, block, FETCH_S)
    except FairshareError as error:
        if error.reason not in (Reason.UNAVAILABLE, Reason.INTEGRITY):
            raise
        log.info("cannot show the model either", round=project.outcome_round, problem=error.message)
        return
    if attempt(sender, log, intent_of(context, project), call, project.outcome_round):
        log.warning("model shown for its aggregator", round=project.outcome_round)


def answer_of(context: ProjectContext, project: Project, block: Block, timeout_s: float) -> ContractFunction:
    """The call that shows the model of the closed round. UNAVAILABLE, INTEGRITY where it cannot be had."""
    model = fetch_current(context, project, block.number, timeout_s)
    opening = opening_of(context, model)
    return context.client.market.functions.answerModel(context.project, opening.to_abi())


def intent_of(context: ProjectContext, project: Project) -> str:
    """A model is challenged once a round, and a round that was undone is shown anew."""
    return f"answer-model:{context.project}:{project.outcome_round}:{project.outcome_index}"
