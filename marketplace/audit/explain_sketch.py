"""What an explanation says on the sketch path besides: where a slot's numbers come from, and what was asked."""

from __future__ import annotations

from dataclasses import dataclass

from marketplace.audit.history import History
from marketplace.audit.rounds import CohortReplay, Dispute, RoundReplay
from marketplace.audit.whereabouts import Place, place_of_event
from marketplace.chain.types import ChunkFacts, SketchFacts
from marketplace.protocol.sketch_check import SUM


@dataclass(frozen=True)
class SketchShown:
    """On the sketch path (docs/sketch.md): what a slot's numbers were made from.

    `seed`: of the round's sketches; `width`: numbers of a sketch; `root`: of the update's chunks, once the result
    opened it; `x`, `y`: the commitment of its sketch, which the proof is about; `left_out`: without blame, and without
    a fee.
    """

    width: int | None
    chunks: int
    chunk_length: int
    seed: str | None  # 0x-hex
    root: str | None  # 0x-hex
    x: int | None
    y: int | None
    left_out: bool


@dataclass(frozen=True)
class DisputeShown:
    """A question about the round's chunks or sketches. `kind`: chunk or sketch; `slot`: None for the sum, or a chunk.

    `outcome`: open, answered (a sketch's answer can still be refuted), closed, refuted, or undone: never answered.
    """

    kind: str
    cohort: int | None
    slot: int | None
    chunk: int | None
    outcome: str
    at: Place


def sketch_shown(
    history: History, replayed: RoundReplay, cohort: CohortReplay | None, slot: int
) -> SketchShown:
    """What the numbers of a slot were made from; `cohort` None: the trainer sat nowhere in the round."""
    terms, drawn = history.terms, replayed.drawn
    present = cohort is not None and cohort.posted is not None and bool(cohort.posted.present >> slot & 1)
    opened = cohort.sketches if cohort is not None and present else ()
    root = cohort.commitments[slot].x if cohort is not None and slot < len(opened) else None
    return SketchShown(
        width=history.circuit.length if history.circuit is not None else None,
        chunks=terms.chunks,
        chunk_length=terms.chunk_length,
        seed="0x" + drawn.seed.hex() if drawn is not None else None,
        root=None if root is None else "0x" + root.to_bytes(32, "big").hex(),
        x=opened[slot].x if slot < len(opened) else None,
        y=opened[slot].y if slot < len(opened) else None,
        left_out=cohort is not None and bool(cohort.left_out >> slot & 1),
    )


def dispute_shown(replayed: RoundReplay, dispute: Dispute) -> DisputeShown:
    """A question, and what became of it."""
    facts = dispute.question.facts
    if dispute.refuted is not None:
        outcome = "refuted"
    elif dispute.closed is not None:
        outcome = "closed"
    elif replayed.undone is not None:
        outcome = "undone"
    else:
        outcome = "open" if dispute.answer is None else "answered"
    about_sum = isinstance(facts, SketchFacts) and facts.slot == SUM
    return DisputeShown(
        kind="chunk" if isinstance(facts, ChunkFacts) else "sketch",
        cohort=None if about_sum else facts.cohort,
        slot=facts.slot if isinstance(facts, SketchFacts) and not about_sum else None,
        chunk=facts.chunk if isinstance(facts, ChunkFacts) else None,
        outcome=outcome,
        at=place_of_event(dispute.challenged),
    )
