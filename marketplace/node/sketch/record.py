"""What the chain says of a round on the sketch path: its seed, its results, the models around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from marketplace.chain.events import (
    Event,
    ResultPosted,
    RoundUndone,
    SketchDrawn,
    fetch,
)
from marketplace.chain.types import SketchStatement
from marketplace.node.lagging import lagging
from marketplace.node.models import ModelReference, last_standing
from marketplace.node.outcomes import results_of, sketch_statements
from marketplace.node.project import ProjectContext
from marketplace.protocol.krum import members
from marketplace.storage.cid import from_digest
from zk import curve
from zk.curve import Point


@dataclass(frozen=True)
class CohortRecord:
    """A cohort's result. `before`, `after`: roots of the model, 32 bytes each."""

    cohort: int
    posted: ResultPosted
    statement: SketchStatement
    before: bytes
    after: bytes
    manifest: str  # CID

    @property
    def merged(self) -> tuple[int, ...]:
        """Slots, ascending."""
        return members(self.statement.merged)

    def commitment(self, slot: int) -> Point:
        """S of an input."""
        return curve.from_bytes(self.statement.commitments[curve.SIZE * slot : curve.SIZE * (slot + 1)])


@dataclass(frozen=True)
class RoundRecord:
    """A round's results in the chain's order, and the model that it started from."""

    round: int
    seed: bytes
    before: ModelReference
    results: tuple[CohortRecord, ...]

    @property
    def merging(self) -> tuple[CohortRecord, ...]:
        """The results that moved the model."""
        return tuple(result for result in self.results if result.statement.merged)

    def of_cohort(self, cohort: int) -> CohortRecord | None:
        """A cohort's result; None where it was skipped."""
        return next((result for result in self.results if result.cohort == cohort), None)

    def sum(self, zero: Point) -> Point:
        """C_0 (`zero`) moved by every merged sketch's commitment: that of the sketch of the model's move."""
        merged = [result.commitment(slot) for result in self.results for slot in result.merged]
        return curve.moved(zero, merged, zero)

    @property
    def before_root(self) -> bytes:
        """Of the model before the round."""
        return curve.x_bytes(self.before.commitment)

    @property
    def after_root(self) -> bytes:
        """Of the model after it."""
        return self.results[-1].after if self.results else self.before_root


def record_of(context: ProjectContext, round_: int, block: int) -> RoundRecord:
    """The round's record as of `block`. Raises UNAVAILABLE (`lagging`) where the endpoint's events leave out some."""
    client, number = context.client, context.project
    events: list[Event] = fetch(client, [ResultPosted, RoundUndone], number, to_block=block)
    first = next(
        (at for at, event in enumerate(events) if isinstance(event, ResultPosted) and event.round == round_),
        len(events),
    )
    before = _reference(context, events[:first])
    root, results = curve.x_bytes(before.commitment), []
    posted = results_of(events, round_)
    for event, statement in zip(posted, sketch_statements(client, number, posted, block), strict=True):
        manifest = from_digest(event.model)
        results.append(CohortRecord(event.cohort, event, statement, root, statement.root, manifest))
        root = statement.root
    return RoundRecord(round_, seed_of(context, round_, block), before, tuple(results))


def seed_of(context: ProjectContext, round_: int, block: int) -> bytes:
    """The seed of a round's sketches; UNAVAILABLE (`lagging`) where the endpoint does not serve it."""
    drawn = fetch(context.client, [SketchDrawn], context.project, round_, to_block=block)
    if not drawn:
        raise lagging(context.client, f"the endpoint does not serve the seed of round {round_}")
    return drawn[-1].seed


def _reference(context: ProjectContext, events: Sequence[Event]) -> ModelReference:
    last = last_standing(events)
    if last is None:
        return ModelReference(0, context.spec.initial_model, context.terms.initial_model)
    return ModelReference(last.round, from_digest(last.model), Point(last.x, last.y))
