"""Chunks and values that were put on chain, held against commitments: what the replay alone cannot compute."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from marketplace.audit.models import require_norm, vector_of
from marketplace.audit.report import failed, unchecked
from marketplace.audit.rounds import CohortReplay, Dispute, RoundReplay
from marketplace.audit.run import Run
from marketplace.audit.shelf import Shelf
from marketplace.chain.events import ChunkShown, SketchAnswered, SketchQuestioned, SketchRefuted
from marketplace.chain.types import SketchEvidence, SketchFacts
from marketplace.protocol.field import FIELD_MODULUS
from marketplace.protocol.sketch import Sketcher
from marketplace.protocol.sketch_check import SUM, sketch_challenge
from zk.curve import Point
from zk.opening import value_at
from zk.pairing import opens_to


def check_chunk_answers(cohort: CohortReplay, shelf: Shelf, max_norm_squared: int) -> str:
    """Chunks that answered complaints are those behind their points, and within the norm bound."""
    for answer in cohort.chunk_answers:
        chunk = vector_of(answer.packed, "<i2", shelf.chunk_length)
        _require_point(
            shelf, chunk.astype(np.int64), Point(answer.x, answer.y), f"slot {answer.slot}'s chunk"
        )
        require_norm(chunk, answer.slot, max_norm_squared)
    if cohort.unshown:
        raise unchecked(cohort.unshown)
    return (
        f"{len(cohort.chunk_answers)} chunks that answered complaints are under the roots that were submitted"
    )


def check_dispute(run: Run, round_: RoundReplay, dispute: Dispute) -> str:
    """What answered a question holds: the chunk is behind its point, or the sketch opens to its values' sum."""
    if dispute.shown is not None:
        return _check_chunk(run.need_shelf(), dispute, dispute.shown)
    if dispute.answer is None or not isinstance(dispute.question, SketchQuestioned):
        raise unchecked("nothing answered it")
    return _check_values(run, dispute, dispute.question.facts, dispute.answer)


def _check_chunk(shelf: Shelf, dispute: Dispute, shown: ChunkShown) -> str:
    chunk = vector_of(shown.packed, "<i4", shelf.chunk_length)
    _require_point(shelf, chunk.astype(np.int64), Point(shown.x, shown.y), f"chunk {shown.chunk}")
    if dispute.unread:
        raise unchecked(dispute.unread)
    return f"chunk {shown.chunk} of the new model was shown, and is the old one moved by the merged updates"


def _check_values(run: Run, dispute: Dispute, facts: SketchFacts, answer: SketchAnswered) -> str:
    circuit, terms = run.history.circuit, run.history.terms
    if circuit is None:
        raise failed("no circuit is registered under the terms' digest")
    opening = run.history.sketch.opening(answer.transaction_hash)
    if isinstance(opening, str):
        raise unchecked(opening)
    z = sketch_challenge(terms.circuit, *facts.commitment, facts.before, facts.root, facts.seed)
    total = sum(answer.values) % FIELD_MODULUS
    if not opens_to(facts.commitment, circuit.zero, z, total, opening, circuit.tau):
        raise failed("the sketch's commitment does not open to the sum of the values that were answered")
    what = "the sum of the merged sketches" if facts.slot == SUM else f"slot {facts.slot}'s sketch"
    if dispute.refuted is None:
        state = "stands" if dispute.closed is not None else "can still be refuted"
        return f"{what} opens to the sum of the values, and the answer {state}"
    return _check_refutation(run, facts, dispute.refuted, z)


def _check_refutation(run: Run, facts: SketchFacts, refuted: SketchRefuted, z: int) -> str:
    """The value that refuted an answer is the chunk's."""
    evidence = run.history.sketch.shown(refuted.transaction_hash)
    if isinstance(evidence, str):
        raise unchecked(evidence)
    if value_of(run, facts, refuted.chunk, evidence, z) != refuted.value:
        raise failed(f"the value that refuted the answer is not that of chunk {refuted.chunk}")
    return f"the answer was refuted: its value of chunk {refuted.chunk} is not that of the chunk"


def value_of(run: Run, facts: SketchFacts, chunk: int, evidence: SketchEvidence, z: int) -> int:
    """v_j of a chunk that was put on chain."""
    shape, length = run.need_files().shape, run.history.terms.chunk_length
    if facts.slot == SUM:
        after = vector_of(evidence.packed, "<i4", length).astype(np.int64)
        numbers = after - vector_of(evidence.packed_before, "<i4", length)
    else:
        numbers = vector_of(evidence.packed, "<i2", length).astype(np.int64)
    sketch = Sketcher(facts.seed, shape.length).sketch(numbers, chunk * length // shape.length)
    return value_at(sketch, run.need_files().logrows, z)


def _require_point(shelf: Shelf, chunk: NDArray[np.int64], point: Point, what: str) -> None:
    if shelf.committer.sketch_commitment(chunk) != point:
        raise failed(f"{what} is not the one behind its point")
