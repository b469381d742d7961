"""From chronicles to answers about what was doubted: challenges, and on the sketch path chunks and sketches; pure."""

from __future__ import annotations

from collections.abc import Iterable

from marketplace.api import models as m
from marketplace.api.chronicle import RoundTold
from marketplace.api.parts import hexed, hexed_or_none, transaction_of
from marketplace.chain import events as e
from marketplace.chain.types import ChallengeKind
from marketplace.protocol.sketch_check import SUM


def challenge_shown(told: RoundTold, challenged: e.Challenged) -> m.ChallengeShown:
    """A challenge of a round, and what became of it."""
    kind, question = challenged.kind, told.questions.get(challenged.transaction_hash)
    ends = _first_after(challenged, (event for event in told.answered if event.kind is kind))
    sketch = kind is ChallengeKind.SKETCH
    answer = _first_after(challenged, told.sketch_answers) if sketch else ends
    return m.ChallengeShown(
        kind=kind.name.lower(),
        challenger=challenged.challenger,
        cohort=0 if kind is ChallengeKind.MODEL else challenged.cohort,
        chunk=question.facts.chunk if isinstance(question, e.ChunkQuestioned) else None,
        slot=_slot_asked(question),
        deadline=challenged.deadline,
        transaction=transaction_of(challenged),
        answered_in=_transaction(answer),
        refuted_in=_transaction(_first_after(challenged, told.refuted)) if sketch else None,
        closed_in=_transaction(ends),
    )


def root_shown(
    answer: e.UpdateAnswered | e.UpdateChunkAnswered | None, said: e.ResultCall | None, slot: int
) -> str | None:
    """On the sketch path: the root of a slot's chunks, as a result or an answer has it."""
    if said is not None and said.sketch is not None and slot < len(said.sketch.roots):
        return hexed_or_none(said.sketch.roots[slot])
    return hexed(answer.root) if isinstance(answer, e.UpdateChunkAnswered) else None


def _slot_asked(question: e.ChunkQuestioned | e.SketchQuestioned | None) -> int | None:
    about_slot = isinstance(question, e.SketchQuestioned) and question.facts.slot != SUM
    return question.facts.slot if isinstance(question, e.SketchQuestioned) and about_slot else None


def _first_after(challenged: e.Challenged, later: Iterable[e.Event]) -> e.Event | None:
    """One is open at a time, and what is not answered ends the round: what comes next belongs to it."""
    return next((event for event in later if _place(event) > _place(challenged)), None)


def _place(event: e.Event) -> tuple[int, int]:
    return event.block_number, event.log_index


def _transaction(event: e.Event | None) -> str | None:
    return None if event is None else transaction_of(event)
