"""What the calls of the sketch path said that no event repeats: results' roots, paths, openings (docs/sketch.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from marketplace.audit.calls import find_call, find_complaint
from marketplace.chain.types import (
    Arrivals,
    RoundResult,
    ShownChunk,
    SketchEvidence,
    SketchResult,
    UpdateChunk,
)
from zk.curve import Point

Place = tuple[bytes, int, int]  # transaction, round, cohort
SlotPlace = tuple[bytes, int, int, int]  # and slot

_NOT_READ = "its transaction was not read"


@dataclass(frozen=True)
class SketchCalls:
    """By transaction, and what tells calls within one apart; a text says why a call cannot be told.

    `results`: of a ResultPosted; `updates`: of an UpdateChunkAnswered; `chunks`: of a ChunkShown; `openings`: the proof
    of a SketchAnswered; `evidence`: of a SketchRefuted.
    """

    results: Mapping[Place, SketchResult | str] = field(default_factory=dict)
    updates: Mapping[SlotPlace, UpdateChunk | str] = field(default_factory=dict)
    chunks: Mapping[bytes, ShownChunk | str] = field(default_factory=dict)
    openings: Mapping[bytes, Point | str] = field(default_factory=dict)
    evidence: Mapping[bytes, SketchEvidence | str] = field(default_factory=dict)

    def result(self, place: Place) -> SketchResult | str:
        """What a result said, or why that cannot be told."""
        return self.results.get(place, _NOT_READ)

    def update(self, place: SlotPlace) -> UpdateChunk | str:
        """What answered a complaint, likewise."""
        return self.updates.get(place, _NOT_READ)

    def chunk(self, transaction: bytes) -> ShownChunk | str:
        """What answered a challenge of a chunk, likewise."""
        return self.chunks.get(transaction, _NOT_READ)

    def opening(self, transaction: bytes) -> Point | str:
        """The proof that answered a challenge of a sketch, likewise."""
        return self.openings.get(transaction, _NOT_READ)

    def shown(self, transaction: bytes) -> SketchEvidence | str:
        """What refuted such an answer, likewise."""
        return self.evidence.get(transaction, _NOT_READ)


def find_sketch_result(
    transaction_input: bytes, project: int, round: int, cohort: int
) -> tuple[RoundResult, SketchResult]:
    """The result that a transaction posted for a cohort's round; INTEGRITY as of `find_result`."""

    def read(arguments: dict[str, Any]) -> tuple[RoundResult, SketchResult] | None:
        result = RoundResult.from_abi(arguments["result"])
        said = (arguments["project"], result.round, result.cohort)
        sketch = SketchResult.from_abi(arguments["sketch"])
        return (result, sketch) if said == (project, round, cohort) else None

    return find_call(transaction_input, "postSketchResult", read, f"round {round}'s result")


def find_chunk_complaint(transaction_input: bytes, project: int, round: int, cohort: int) -> Arrivals:
    """The arrivals that a complaint handed in; INTEGRITY likewise."""
    return find_complaint(transaction_input, project, round, cohort, "complainChunks")


def find_update_chunk(
    transaction_input: bytes, project: int, round: int, cohort: int, slot: int
) -> UpdateChunk:
    """The chunk that answered a complaint; INTEGRITY likewise."""

    def read(arguments: dict[str, Any]) -> UpdateChunk | None:
        said = tuple(arguments[name] for name in ("project", "round", "cohort", "slot"))
        given = UpdateChunk.from_abi(arguments["given"])
        return given if said == (project, round, cohort, slot) else None

    return find_call(transaction_input, "answerChunk", read, "the answer")


def find_shown_chunk(transaction_input: bytes, project: int) -> ShownChunk:
    """The chunk that answered a challenge; INTEGRITY likewise."""

    def read(arguments: dict[str, Any]) -> ShownChunk | None:
        return ShownChunk.from_abi(arguments["shown"]) if arguments["project"] == project else None

    return find_call(transaction_input, "showChunk", read, "the answer")


def find_opening(transaction_input: bytes, project: int) -> Point:
    """The proof that answered a challenge of a sketch; INTEGRITY likewise."""

    def read(arguments: dict[str, Any]) -> Point | None:
        return _point(arguments["proof"]) if arguments["project"] == project else None

    return find_call(transaction_input, "answerSketch", read, "the answer")


def find_evidence(transaction_input: bytes, project: int) -> SketchEvidence:
    """What refuted an answer to a challenge of a sketch; INTEGRITY likewise."""

    def read(arguments: dict[str, Any]) -> SketchEvidence | None:
        return SketchEvidence.from_abi(arguments["evidence"]) if arguments["project"] == project else None

    return find_call(transaction_input, "refuteSketch", read, "the refutation")


def _point(values: Any) -> Point:
    x, y = values.values() if isinstance(values, Mapping) else values
    return Point(int(x), int(y))
