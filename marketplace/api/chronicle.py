"""A project's events put in order: who has which number, and what became of each round. Pure.

What the events say is taken as it is; whether it is right is the audit's question.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from marketplace.chain import events as e
from marketplace.chain.types import Address, Block, Project, Settlement, Terms
from marketplace.protocol.krum import members

E = TypeVar("E", bound=e.Event)


class Outcome(StrEnum):
    """How a cohort's round, or a round, stands."""

    OPEN = "open"
    PROVED = "proved"
    POSTED = "posted"  # on demand: nobody has asked for the proof, or it was given
    SKIPPED = "skipped"
    UNDONE = "undone"
    CLOSED = "closed"  # of a round: all its cohorts are concluded


@dataclass(frozen=True)
class Chronicle:
    """A project at a block. `events`: the market's of this project, in the chain's order."""

    project: int
    block: Block
    state: Project
    terms: Terms
    events: tuple[e.Event, ...]

    def of(self, kind: type[E]) -> list[E]:
        """The events of one type."""
        return [event for event in self.events if isinstance(event, kind)]

    def results(self) -> list[e.ResultPosted]:
        """The results that were not undone."""
        undone = {event.round for event in self.of(e.RoundUndone)}
        return [event for event in self.of(e.ResultPosted) if event.round not in undone]


@dataclass
class CohortTold:
    """A cohort's round. `arrived`: position by slot, from 1; a batch's entries where the batch arrived."""

    index: int
    submitted: dict[int, e.UpdateSubmitted] = field(default_factory=dict)
    batch: e.BatchPosted | None = None
    complaints: list[e.UpdatesComplained] = field(default_factory=list)
    answers: dict[int, e.UpdateAnswered | e.UpdateChunkAnswered] = field(default_factory=dict)
    withheld: dict[int, e.UpdateWithheld] = field(default_factory=dict)
    posted: e.ResultPosted | None = None
    strikes: list[e.TrainerStruck] = field(default_factory=list)
    skipped: e.RoundSkipped | None = None
    named: dict[int, int] = field(
        default_factory=dict
    )  # sketch path: the chunk that a complaint names, by slot
    stated: e.SketchResultPosted | e.ResultStated | None = None
    arrived: dict[int, int] = field(default_factory=dict)

    @property
    def statement(self) -> bytes:
        """What the result states, hashed (`Outcome.statement`); nothing where it states nothing."""
        match self.stated:
            case e.SketchResultPosted(statement=statement):
                return statement.digest()
            case e.ResultStated(statement=hashed):
                return hashed
            case None:
                return b""

    @property
    def left_out(self) -> int:
        """Mask of slots."""
        return self.stated.left_out if isinstance(self.stated, e.SketchResultPosted) else 0

    @property
    def complained(self) -> set[int]:
        """Slots that were complained about."""
        return {slot for complaint in self.complaints for slot in members(complaint.slots)}


@dataclass
class RoundTold:
    """A round."""

    number: int
    opened: e.RoundOpened
    cohorts: dict[int, CohortTold] = field(default_factory=dict)
    reference: e.ReferenceSubmitted | None = None
    timeouts: list[e.AggregatorTimedOut] = field(default_factory=list)
    challenges: list[e.Challenged] = field(default_factory=list)
    answered: list[e.ChallengeAnswered] = field(default_factory=list)
    drawn: e.SketchDrawn | None = None
    questions: dict[bytes, e.ChunkQuestioned | e.SketchQuestioned] = field(
        default_factory=dict
    )  # by transaction
    sketch_answers: list[e.SketchAnswered] = field(default_factory=list)
    refuted: list[e.SketchRefuted] = field(default_factory=list)
    closed: e.RoundClosed | None = None
    undone: e.RoundUndone | None = None

    def cohort(self, index: int) -> CohortTold:
        """The cohort's part."""
        return self.cohorts.setdefault(index, CohortTold(index))

    @property
    def results(self) -> list[e.ResultPosted]:
        """What its aggregators posted, by cohort."""
        found = (self.cohorts[index].posted for index in sorted(self.cohorts))
        return [posted for posted in found if posted is not None]


def rounds_of(chronicle: Chronicle) -> list[RoundTold]:
    """All rounds so far, in order."""
    rounds: dict[int, RoundTold] = {}
    strikes: list[e.TrainerStruck] = []
    for event in chronicle.events:
        match event:
            case e.RoundOpened():
                told = rounds[event.round] = RoundTold(event.round, event)
                for index in range(chronicle.state.cohorts):
                    told.cohort(index)
            case e.TrainerStruck():
                strikes.append(event)  # announced just before their result
            case e.ResultPosted():
                cohort = rounds[event.round].cohort(event.cohort)
                cohort.posted, cohort.strikes, strikes = event, strikes, []
            case _:
                _tell(rounds, event)
    return [rounds[number] for number in sorted(rounds)]


def outcome_of(terms: Terms, told: CohortTold) -> Outcome:
    """How a cohort's round stands, but for its undoing."""
    if told.posted is not None:
        return Outcome.PROVED if terms.settlement is Settlement.PROVED else Outcome.POSTED
    return Outcome.OPEN if told.skipped is None else Outcome.SKIPPED


def outcome_of_round(terms: Terms, told: RoundTold) -> Outcome:
    """How a round stands: what all its cohorts have in common, or CLOSED where they differ."""
    if told.undone is not None:
        return Outcome.UNDONE
    if told.closed is None:
        return Outcome.OPEN
    found = {outcome_of(terms, cohort) for cohort in told.cohorts.values()}
    return found.pop() if len(found) == 1 else Outcome.CLOSED


def numbered(events: Iterable[e.Event]) -> tuple[Address, ...]:
    """The trainers by number: while a project is Open, the last one takes over the number of one that leaves."""
    found: list[Address] = []
    is_open = True
    for event in events:
        match event:
            case e.TrainerJoined():
                found.append(event.trainer)
            case e.TrainerLeft() if is_open and event.number < len(found):
                found[event.number] = found[-1]
                found.pop()
            case e.DrawScheduled() | e.ProjectStarted():
                is_open = False
    return tuple(found)


def shares_of(amounts: Sequence[int]) -> list[int]:
    """Of what a cohort's round paid, by slot, in millionths."""
    paid = sum(amounts)
    return [amount * 1_000_000 // paid if paid else 0 for amount in amounts]


def _tell(rounds: dict[int, RoundTold], event: e.Event) -> None:
    match event:
        case e.UpdateSubmitted():
            cohort = rounds[event.round].cohort(event.cohort)
            cohort.submitted[event.slot] = event
            cohort.arrived[event.slot] = len(cohort.arrived) + 1
        case e.BatchPosted():
            cohort = rounds[event.round].cohort(event.cohort)
            cohort.batch = event
            for slot in members(event.slots):
                cohort.arrived.setdefault(slot, len(cohort.arrived) + 1)
        case e.ReferenceSubmitted():
            rounds[event.round].reference = event
        case e.UpdatesComplained():
            rounds[event.round].cohort(event.cohort).complaints.append(event)
        case e.ChunksComplained():
            named = dict(zip(members(event.slots), event.chunks, strict=False))
            rounds[event.round].cohort(event.cohort).named |= named
        case e.SketchResultPosted() | e.ResultStated():
            rounds[event.round].cohort(event.cohort).stated = event
        case e.UpdateAnswered() | e.UpdateChunkAnswered():
            rounds[event.round].cohort(event.cohort).answers[event.slot] = event
        case e.UpdateWithheld():
            rounds[event.round].cohort(event.cohort).withheld[event.slot] = event
        case e.RoundSkipped():
            rounds[event.round].cohort(event.cohort).skipped = event
        case _:
            _tell_of_all(rounds, event)


def _tell_of_all(rounds: dict[int, RoundTold], event: e.Event) -> None:
    match event:
        case e.AggregatorTimedOut():
            rounds[event.round].timeouts.append(event)
        case e.RoundClosed():
            rounds[event.round].closed = event
        case e.Challenged():
            rounds[event.round].challenges.append(event)
        case e.ChallengeAnswered():
            rounds[event.round].answered.append(event)
        case e.RoundUndone():
            rounds[event.round].undone = event
        case e.SketchDrawn():
            rounds[event.round].drawn = event
        case e.ChunkQuestioned() | e.SketchQuestioned():
            rounds[event.round].questions[event.transaction_hash] = event
        case e.SketchAnswered():
            rounds[event.round].sketch_answers.append(event)
        case e.SketchRefuted():
            rounds[event.round].refuted.append(event)
