"""Asking a question about a round on the sketch path: `challengeSketch`, once for everybody."""

from __future__ import annotations

from web3.contract.contract import ContractFunction

from marketplace.chain.events import ChunkQuestioned, Event, SketchQuestioned, fetch
from marketplace.chain.types import ChallengeKind, SketchQuestion
from marketplace.node.outcomes import outcomes
from marketplace.node.project import ProjectContext
from marketplace.node.sketch.faults import Question
from marketplace.node.sketch.record import RoundRecord
from marketplace.protocol.sketch_check import SUM


def asked_before(context: ProjectContext, record: RoundRecord, question: Question, block: int) -> bool:
    """Whether the chain has an answer to it: who asks again is refused."""
    kinds: list[type[Event]] = [ChunkQuestioned, SketchQuestioned]
    for event in fetch(context.client, kinds, context.project, record.round, to_block=block):
        if isinstance(event, ChunkQuestioned) and question.kind is ChallengeKind.CHUNK:
            if (event.cohort, event.facts.chunk) == (question.cohort, question.chunk):
                return True
        elif isinstance(event, SketchQuestioned) and question.kind is ChallengeKind.SKETCH:
            asked = SUM if event.facts.slot == SUM else (event.facts.cohort, event.facts.slot)
            if asked == (SUM if question.slot == SUM else (question.cohort, question.slot)):
                return True
    return False


def any_chunk_asked(context: ProjectContext, round_: int, block: int) -> bool:
    """Whether a chunk of the round's models was asked for: the deposit of another would buy no more."""
    return bool(fetch(context.client, [ChunkQuestioned], context.project, round_, to_block=block))


def question_call(context: ProjectContext, record: RoundRecord, question: Question) -> ContractFunction:
    """The call that asks, about the round that can be undone."""
    handed = outcomes(context.client, context.project)
    about = (
        record.results
        if question.kind is ChallengeKind.SKETCH and question.slot == SUM
        else [result for result in record.results if result.cohort == question.cohort]
    )
    asked = SketchQuestion(
        cohort=question.cohort,
        slot=question.slot,
        chunk=question.chunk,
        statements=tuple(result.statement for result in about),
    )
    return context.client.market.functions.challengeSketch(
        context.project, int(question.kind), asked.to_abi(), [outcome.to_abi() for outcome in handed]
    )
