"""Questions about a result on the sketch path, true and false answers, refutations of false ones."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from gasmeter.sketched import SketchPlay
from gasmeter.stage import DEPOSIT
from gasmeter.vectors import CHUNK_LENGTH, Long, Numbers
from marketplace.chain.events import ChunkQuestioned, ResultPosted, SketchQuestioned, fetch
from marketplace.chain.sketch_types import NO_LEAF, SUM_SLOT, SketchFacts
from marketplace.chain.types import (
    ChallengeKind,
    ShownChunk,
    SketchEvidence,
    SketchQuestion,
    SketchStatement,
)
from marketplace.node.outcomes import outcomes, results_of, sketch_statements
from marketplace.node.sketch.answers import leaf_path
from marketplace.node.sketch.sums import move
from marketplace.protocol.field import FIELD_MODULUS, to_felt
from marketplace.protocol.krum import members
from marketplace.protocol.sketch_check import sketch_challenge
from marketplace.updates.sketch_values import chunk_values
from zk.opening import open_value

E = TypeVar("E", ChunkQuestioned, SketchQuestioned)


def ask(
    play: SketchPlay, kind: ChallengeKind, name: str | None = None, *, slot: int = 0, chunk: int = 0
) -> None:
    """Somebody asks about the previous round's result."""
    play.deposit(play.doubter, DEPOSIT)
    question = SketchQuestion(cohort=0, slot=slot, chunk=chunk, statements=(_statement(play),))
    known = [outcome.to_abi() for outcome in outcomes(play.meter.client, play.project)]
    call = play.calls.challengeSketch(play.project, int(kind), question.to_abi(), known)
    play.send(play.doubter, call, name)


def prove_on_demand(play: SketchPlay, name: str) -> None:
    """Answers the question of a proof."""
    made = play.proof()
    call = play.calls.answerProof(play.project, [to_felt(entry) for entry in made.gram], made.proof)
    play.send(play.aggregators[0], call, name)


def show(play: SketchPlay, name: str) -> None:
    """Answers the question of a chunk."""
    facts, updates = _asked(play, ChunkQuestioned).facts, play.vectors.updates
    merged = members(_statement(play).merged)
    opened = play.open_chunk(play.after, facts.chunk)
    shown = ShownChunk(
        before=leaf_path(play.before.tree, facts.chunk),
        merged=tuple(leaf_path(updates[slot].tree, facts.chunk) for slot in merged),
        packed=opened.packed,
        path=play.after.tree.path(facts.chunk),
        proof=opened.proof,
    )
    call = play.calls.showChunk(play.project, facts.to_abi(), shown.to_abi())
    play.send(play.aggregators[0], call, name)


def answer(
    play: SketchPlay, name: str | None = None, *, aggregator: int = 0, false_at: int | None = None
) -> list[int]:
    """Answers the question of a sketch. `false_at`: a chunk whose value is false, the next one's makes up for it."""
    facts, vector, sketcher = _sketch_asked(play), _vector_asked(play), play.sketcher
    x, y = facts.commitment
    z = sketch_challenge(play.terms.circuit, x, y, facts.before, facts.root, facts.seed)
    values = chunk_values(sketcher, vector, CHUNK_LENGTH, play.stage.files.logrows, z)
    if false_at is not None:
        for chunk, shift in ((false_at, 1), (false_at + 1, -1)):
            values[chunk] = (values[chunk] + shift) % FIELD_MODULUS
    _, proof = open_value(play.stage.files, sketcher.sketch(vector), z)
    call = play.calls.answerSketch(play.project, facts.to_abi(), values, tuple(proof))
    play.send(play.aggregators[aggregator], call, name)
    return values


def refute(play: SketchPlay, values: list[int], chunk: int, name: str) -> None:
    """Shows that the value of `chunk` is false."""
    facts = _sketch_asked(play)
    if facts.slot == SUM_SLOT:
        old, new = play.before, play.after
        evidence = SketchEvidence(
            leaf_path(old.tree, chunk), _packed(old, chunk), leaf_path(new.tree, chunk), _packed(new, chunk)
        )
    else:
        update = play.vectors.updates[facts.slot]
        evidence = SketchEvidence(NO_LEAF, b"", leaf_path(update.tree, chunk), _packed(update, chunk))
    call = play.calls.refuteSketch(play.project, facts.to_abi(), chunk, values, evidence.to_abi())
    play.send(play.doubter, call, name)


def close(play: SketchPlay, name: str | None = None) -> None:
    """Nobody has refuted the answer."""
    play.meter.wait_until(play.meter.client.challenge(play.project).deadline)
    play.send(play.doubter, play.calls.closeSketch(play.project), name)


def undo(play: SketchPlay, name: str | None = None) -> None:
    """Undoes the previous round, whose question has no answer or a refuted one."""
    known = [outcome.to_abi() for outcome in outcomes(play.meter.client, play.project)]
    play.meter.wait_until(play.meter.client.challenge(play.project).deadline)
    play.send(play.doubter, play.calls.undo(play.project, known), name)
    play.undone()


def _statement(play: SketchPlay) -> SketchStatement:
    client, round_ = play.meter.client, play.meter.client.project(play.project).outcome_round
    posted = results_of(fetch(client, [ResultPosted], play.project), round_)
    (statement,) = sketch_statements(client, play.project, posted, client.latest_block().number)
    return statement


def _vector_asked(play: SketchPlay) -> Numbers:
    slot = _sketch_asked(play).slot
    if slot != SUM_SLOT:
        return play.vectors.updates[slot].numbers
    old, new = (np.asarray(model.numbers, dtype=np.int32) for model in (play.before, play.after))
    return move(old, new)


def _sketch_asked(play: SketchPlay) -> SketchFacts:
    return _asked(play, SketchQuestioned).facts


def _asked(play: SketchPlay, kind: type[E]) -> E:
    client = play.meter.client
    return fetch(client, [kind], play.project, client.project(play.project).outcome_round)[-1]


def _packed(vector: Long, chunk: int) -> bytes:
    numbers = vector.chunk(chunk)
    return numbers.astype(numbers.dtype.newbyteorder("<")).tobytes()
