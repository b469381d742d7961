"""The market's events of the sketch path; what each says stands in `ITrainingMarket`."""

from __future__ import annotations

import dataclasses

from marketplace.chain.events.base import Event
from marketplace.chain.types import ChunkFacts, SketchFacts, SketchStatement


@dataclasses.dataclass(frozen=True)
class SketchDrawn(Event):
    project: int
    round: int
    seed: bytes


@dataclasses.dataclass(frozen=True)
class ChunksComplained(Event):
    project: int
    round: int
    cohort: int
    slots: int
    chunks: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class UpdateChunkAnswered(Event):
    project: int
    round: int
    cohort: int
    slot: int
    chunk: int
    root: bytes
    x: int
    y: int
    packed: bytes


@dataclasses.dataclass(frozen=True)
class SketchResultPosted(Event):
    project: int
    round: int
    cohort: int
    left_out: int
    statement: SketchStatement


@dataclasses.dataclass(frozen=True)
class ChunkQuestioned(Event):
    project: int
    round: int
    cohort: int
    facts: ChunkFacts


@dataclasses.dataclass(frozen=True)
class SketchQuestioned(Event):
    project: int
    round: int
    facts: SketchFacts


@dataclasses.dataclass(frozen=True)
class ChunkShown(Event):
    project: int
    round: int
    cohort: int
    chunk: int
    x: int
    y: int
    packed: bytes


@dataclasses.dataclass(frozen=True)
class SketchAnswered(Event):
    project: int
    round: int
    deadline: int
    values: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class SketchRefuted(Event):
    project: int
    round: int
    chunk: int
    given: int
    value: int


SKETCH_EVENTS: tuple[type[Event], ...] = (
    SketchDrawn,
    ChunksComplained,
    UpdateChunkAnswered,
    SketchResultPosted,
    ChunkQuestioned,
    SketchQuestioned,
    ChunkShown,
    SketchAnswered,
    SketchRefuted,
)
