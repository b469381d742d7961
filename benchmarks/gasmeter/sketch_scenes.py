"""The projects on the sketch path that are played: every call that they have, and a round's others."""

from __future__ import annotations

from gasmeter import disputes
from gasmeter.scenes import settled
from gasmeter.sketched import SketchPlay, create_sketched
from gasmeter.stage import Stage
from gasmeter.vectors import Vectors
from marketplace.chain.sketch_types import SUM_SLOT
from marketplace.chain.types import ChallengeKind, ScoreRule, Settlement

FIRST, LATER, LAST = "submit: first of a later round", "submit", "submit: last of a round"


def proved(stage: Stage, vectors: Vectors) -> None:
    """Two rounds with proofs, to the claims."""
    play = create_sketched(stage, vectors, "create: a market's first", rounds=2)
    _start(play)
    last = play.terms.slots - 1
    _submit(play, {0: "submit: first of round 1", 1: "submit: round 1", last: LAST})
    play.draw("drawSketch: round 1")
    play.post_sketched("postSketchResult: round 1")
    _submit(play, {0: FIRST, 1: LATER})
    play.draw("drawSketch")
    play.post_sketched("postSketchResult")
    settled(play)


def on_demand(stage: Stage, vectors: Vectors) -> None:
    """Results without a proof; each question and its answer, complaints, a batch, false answers."""
    play = create_sketched(stage, vectors, "create", rounds=4, settlement=Settlement.ON_DEMAND)
    _start(play)
    _round(play, "postSketchResult on demand: round 1")
    _round(play, "postSketchResult on demand")
    _questions(play)
    _complaints(play)
    play.post_batch(vectors, range(play.terms.slots), "postBatch")
    play.draw()
    play.post_sketched("postSketchResult on demand: all of a batch")
    _false_answer(play, 1, "a sketch", aggregator=0)
    _round(play, None, aggregator=1)
    _false_answer(play, SUM_SLOT, "the sum", aggregator=1)


def by_reference(stage: Stage, vectors: Vectors) -> None:
    """Two rounds by the owner's reference, which is an input as any other."""
    play = create_sketched(
        stage, vectors, "create: with references", rounds=2, score_rule=ScoreRule.REFERENCE
    )
    _start(play)
    for suffix in (": round 1", ""):
        play.submit_reference(vectors, f"submitReference{suffix}")
        _submit(play, {})
        play.draw()
        play.post_sketched(f"postSketchResult by reference{suffix}")


def _start(play: SketchPlay) -> None:
    play.gather(kept=False)
    play.send(play.owner, play.calls.start(play.project))


def _submit(play: SketchPlay, names: dict[int, str]) -> None:
    play.submit(play.vectors, range(play.terms.slots), names)


def _round(play: SketchPlay, name: str | None, aggregator: int = 0) -> None:
    _submit(play, {})
    play.draw()
    play.post_sketched(name, aggregator)


def _questions(play: SketchPlay) -> None:
    """All that can be asked about a result, and true answers."""
    disputes.ask(play, ChallengeKind.PROOF, "challengeSketch: a proof")
    disputes.prove_on_demand(play, "answerProof")
    disputes.ask(play, ChallengeKind.CHUNK, "challengeSketch: a chunk", chunk=_middle(play))
    disputes.show(play, "showChunk")
    for slot, what in ((0, "a sketch"), (SUM_SLOT, "the sum")):
        disputes.ask(play, ChallengeKind.SKETCH, f"challengeSketch: {what}", slot=slot)
        disputes.answer(play, f"answerSketch: {what}")
        disputes.close(play, "closeSketch")


def _complaints(play: SketchPlay) -> None:
    """Two answered; one of them is left out of the result all the same."""
    _submit(play, {})
    play.complain([_middle(play), 0], "complainChunks: about two")
    play.answer_chunk(0, _middle(play), "answerChunk: first")
    play.answer_chunk(1, 0, "answerChunk")
    play.draw()
    play.post_sketched("postSketchResult on demand: one left out", left_out=0b10)


def _false_answer(play: SketchPlay, slot: int, what: str, aggregator: int) -> None:
    disputes.ask(play, ChallengeKind.SKETCH, slot=slot)
    values = disputes.answer(play, aggregator=aggregator, false_at=_middle(play))
    disputes.refute(play, values, _middle(play), f"refuteSketch: {what}")
    disputes.undo(play, f"undo: a false answer about {what}")


def _middle(play: SketchPlay) -> int:
    """A chunk with others on both sides."""
    return play.vectors.chunks // 2
