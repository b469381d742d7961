"""Showing a chunk that is asked for: its aggregator must, and anybody who has the round's files can."""

from __future__ import annotations

from marketplace.chain.events import ChunkQuestioned, fetch
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import Block, ChallengeKind, ChunkFacts, Project
from marketplace.errors import FairshareError, Reason
from marketplace.node.journal import Journal
from marketplace.node.lagging import lagging
from marketplace.node.logging import Logger
from marketplace.node.membership import attempt
from marketplace.node.project import ProjectContext
from marketplace.node.showing import stands_in
from marketplace.node.sketch.answers import show_chunk
from marketplace.node.sketch.artifacts import Shelf
from marketplace.node.sketch.record import record_of

FETCH_S = 5.0  # for a stand-in's attempt at each of the files that it should hold


def stand_in(
    context: ProjectContext,
    sender: TransactionSender,
    journal: Journal,
    log: Logger,
    project: Project,
    block: Block,
    turn: int,
) -> None:
    """Show a chunk that its aggregator has not shown, where it is time and we have it. `turn`: see `showing`."""
    if not project.challenged:
        return
    challenge = context.client.challenge(context.project, block=block.number)
    if challenge.kind is not ChallengeKind.CHUNK:
        return
    if stands_in(challenge, context.terms.answer_window, turn, block.timestamp):
        show(context, sender, journal, log, project, block, FETCH_S)


def show(
    context: ProjectContext,
    sender: TransactionSender,
    journal: Journal,
    log: Logger,
    project: Project,
    block: Block,
    timeout_s: float,
) -> None:
    """Show the chunk that is asked for; what keeps us from it is only reported."""
    round_ = project.outcome_round
    try:
        facts = _facts(context, round_, block)
        record = record_of(context, round_, block.number)
        call = show_chunk(Shelf(context, journal, timeout_s), record, facts)
        intent = f"show-chunk:{context.project}:{round_}:{facts.cohort}:{facts.chunk}"
        shown = attempt(sender, log, intent, call, round_)
    except FairshareError as error:
        if error.reason not in (Reason.UNAVAILABLE, Reason.INTEGRITY):
            raise
        log.error("the chunk cannot be shown", round=round_, problem=error.message)
        return
    if shown:
        log.warning("chunk shown", round=round_, cohort=facts.cohort, chunk=facts.chunk)


def _facts(context: ProjectContext, round_: int, block: Block) -> ChunkFacts:
    """Of the question that is open: the round's latest."""
    asked = fetch(context.client, [ChunkQuestioned], context.project, round_, to_block=block.number)
    if not asked:
        raise lagging(
            context.client,
            f"the endpoint does not serve the challenge of round {round_} that the chain holds",
        )
    return asked[-1].facts
