"""An answer to a question of a sketch stands unless a value in it is false: who has the data looks, and shows it."""

from __future__ import annotations

from eth_utils.crypto import keccak

from marketplace.chain.events import Event, SketchAnswered, SketchQuestioned, SketchRefuted, fetch
from marketplace.chain.types import Block, Challenge, ChallengeKind, Project, SketchEvidence, SketchFacts
from marketplace.errors import FairshareError, Reason
from marketplace.node.challenging import STAGGER, Watcher
from marketplace.node.membership import attempt
from marketplace.node.reorganisation import is_seen, see
from marketplace.node.sketch.answers import (
    evidence_of_move,
    evidence_of_update,
    refute,
    values_of,
)
from marketplace.node.sketch.artifacts import Shelf, reference_of
from marketplace.node.sketch.own import OwnInput
from marketplace.node.sketch.record import record_of
from marketplace.node.sketch.sums import move
from marketplace.protocol.chunk_tree import ChunkTree
from marketplace.protocol.sketch_check import SUM

ANSWER_SEEN = "answer-seen"
FETCH_S = 10.0  # for one attempt at a model


def refute_false_answer(
    node: Watcher, project: Project, challenge: Challenge, own: OwnInput | None, turn: int, block: Block
) -> None:
    """Look at the answer that stands to an open question of a sketch, once, as far as we have what it is about.

    `turn`: ours among those who look at the sum; about its own update nobody else knows.
    """
    context, round_ = node.context, project.outcome_round
    if challenge.kind is not ChallengeKind.SKETCH or block.timestamp >= challenge.deadline:
        return
    found = _standing(node, round_, block)
    if found is None:
        return
    facts, answer = found
    name = f"{ANSWER_SEEN}:{keccak(challenge.statement + bytes([facts.slot])).hex()[:16]}"
    if is_seen(node, round_, name, block):
        return
    answered_for = context.terms.answer_window - (challenge.deadline - block.timestamp)
    if facts.slot == SUM and answered_for < STAGGER * turn * context.terms.answer_window:
        return
    try:
        wrong = _first_false(node, facts, answer.values, own, block)
    except FairshareError as error:
        if error.reason not in (Reason.UNAVAILABLE, Reason.INTEGRITY):
            raise
        node.log.warning("the answer cannot be looked at", round=round_, problem=error.message)
        return
    if wrong is not None:
        chunk, evidence = wrong
        node.log.error("false answer refuted", round=round_, slot=facts.slot, chunk=chunk)
        call = refute(context, facts, answer.values, chunk, evidence)
        intent = f"refute:{context.project}:{round_}:{facts.cohort}:{facts.slot}:{chunk}"
        if not attempt(node.sender, node.log, intent, call, round_, challenge.deadline):
            return
    see(node, round_, name, block)


def _standing(node: Watcher, round_: int, block: Block) -> tuple[SketchFacts, SketchAnswered] | None:
    """The question that is open and its answer; None where it has none that stands."""
    facts: SketchFacts | None = None
    answer: SketchAnswered | None = None
    kinds: list[type[Event]] = [SketchQuestioned, SketchAnswered, SketchRefuted]
    for event in fetch(node.context.client, kinds, node.context.project, round_, to_block=block.number):
        if isinstance(event, SketchQuestioned):
            facts, answer = event.facts, None
        else:
            answer = event if isinstance(event, SketchAnswered) else None
    return None if facts is None or answer is None else (facts, answer)


def _first_false(
    node: Watcher, facts: SketchFacts, values: tuple[int, ...], own: OwnInput | None, block: Block
) -> tuple[int, SketchEvidence] | None:
    """The first chunk whose value is false, and what shows it; None where none is, or it is not ours to know."""
    context = node.context
    if facts.slot != SUM:
        if own is None or own.committed.commitment.x != int.from_bytes(facts.root, "big"):
            return None
        update, tree = own.committed.update, ChunkTree(own.committed.leaves)
        chunk = _first_other(values_of(context, facts, update), values)
        return None if chunk is None else (chunk, evidence_of_update(context, update, tree, chunk))
    record = record_of(context, facts.round, block.number)
    shelf = Shelf(context, node.journal, FETCH_S)
    before, after = record.before, reference_of(context, record.merging[-1])
    moved = move(shelf.model(before), shelf.model(after))
    chunk = _first_other(values_of(context, facts, moved), values)
    return None if chunk is None else (chunk, evidence_of_move(shelf, before, after, chunk))


def _first_other(true: list[int], stated: tuple[int, ...]) -> int | None:
    return next((chunk for chunk, (a, b) in enumerate(zip(true, stated, strict=True)) if a != b), None)
