"""The market's events; what each says stands in `ITrainingMarket`."""

from __future__ import annotations

import dataclasses

from marketplace.chain.events.base import Event
from marketplace.chain.events.sketch import SKETCH_EVENTS
from marketplace.chain.types import Address, ChallengeKind, Status


@dataclasses.dataclass(frozen=True)
class ProjectCreated(Event):
    project: int
    owner: Address
    circuit: bytes
    spec: bytes
    token: Address
    reward: int


@dataclasses.dataclass(frozen=True)
class TrainerJoined(Event):
    project: int
    trainer: Address
    number: int
    encryption_key: bytes


@dataclasses.dataclass(frozen=True)
class TrainerLeft(Event):
    project: int
    trainer: Address
    number: int


@dataclasses.dataclass(frozen=True)
class AggregatorJoined(Event):
    project: int
    aggregator: Address
    index: int
    encryption_key: bytes
    contact: bytes


@dataclasses.dataclass(frozen=True)
class AggregatorLeft(Event):
    project: int
    aggregator: Address
    index: int


@dataclasses.dataclass(frozen=True)
class DrawScheduled(Event):
    project: int
    seed_block: int


@dataclasses.dataclass(frozen=True)
class ProjectStarted(Event):
    project: int
    trainers: int
    cohorts: int
    seed: bytes


@dataclasses.dataclass(frozen=True)
class RoundOpened(Event):
    project: int
    round: int
    submit_deadline: int
    result_deadline: int


@dataclasses.dataclass(frozen=True)
class UpdateSubmitted(Event):
    project: int
    round: int
    trainer: Address
    cohort: int
    slot: int
    digest: bytes
    blob: bytes


@dataclasses.dataclass(frozen=True)
class ReferenceSubmitted(Event):
    project: int
    round: int
    digest: bytes
    blob: bytes


@dataclasses.dataclass(frozen=True)
class BatchPosted(Event):
    project: int
    round: int
    cohort: int
    aggregator_index: int
    slots: int
    root: bytes
    list: bytes


@dataclasses.dataclass(frozen=True)
class KeyResealed(Event):
    project: int
    round: int
    sender: Address
    aggregator_index: int
    sealed_key: bytes


@dataclasses.dataclass(frozen=True)
class UpdatesComplained(Event):
    project: int
    round: int
    cohort: int
    slots: int
    deadline: int


@dataclasses.dataclass(frozen=True)
class UpdateAnswered(Event):
    project: int
    round: int
    cohort: int
    slot: int
    x: int
    y: int
    packed: bytes


@dataclasses.dataclass(frozen=True)
class UpdateWithheld(Event):
    project: int
    round: int
    trainer: Address
    cohort: int
    slot: int
    paid: int


@dataclasses.dataclass(frozen=True)
class ResultPosted(Event):
    project: int
    round: int
    aggregator: Address
    cohort: int
    present: int
    merged: int
    struck: int
    fee: int
    escrow: int
    pot: int
    model: bytes
    x: int
    y: int
    amounts: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class ResultStated(Event):
    project: int
    round: int
    cohort: int
    statement: bytes


@dataclasses.dataclass(frozen=True)
class TrainerStruck(Event):
    project: int
    round: int
    trainer: Address
    slashed: int


@dataclasses.dataclass(frozen=True)
class AggregatorTimedOut(Event):
    project: int
    round: int
    aggregator: Address
    slashed: int
    result_deadline: int


@dataclasses.dataclass(frozen=True)
class RoundSkipped(Event):
    project: int
    round: int
    cohort: int


@dataclasses.dataclass(frozen=True)
class RoundClosed(Event):
    project: int
    round: int
    challenge_deadline: int


@dataclasses.dataclass(frozen=True)
class Challenged(Event):
    project: int
    round: int
    challenger: Address
    kind: ChallengeKind
    cohort: int
    deadline: int


@dataclasses.dataclass(frozen=True)
class ChallengeAnswered(Event):
    project: int
    round: int
    kind: ChallengeKind
    packed: bytes


@dataclasses.dataclass(frozen=True)
class RoundUndone(Event):
    project: int
    round: int
    aggregator: Address
    slashed: int
    x: int
    y: int


@dataclasses.dataclass(frozen=True)
class ValidationRevealed(Event):
    project: int
    validation: bytes
    salt: bytes


@dataclasses.dataclass(frozen=True)
class ProjectEnded(Event):
    project: int
    status: Status
    refund: int


@dataclasses.dataclass(frozen=True)
class Released(Event):
    project: int
    account: Address
    amount: int


@dataclasses.dataclass(frozen=True)
class Claimed(Event):
    project: int
    account: Address
    amount: int


MARKET_EVENTS: tuple[type[Event], ...] = (
    ProjectCreated,
    TrainerJoined,
    TrainerLeft,
    AggregatorJoined,
    AggregatorLeft,
    DrawScheduled,
    ProjectStarted,
    RoundOpened,
    UpdateSubmitted,
    ReferenceSubmitted,
    BatchPosted,
    KeyResealed,
    UpdatesComplained,
    UpdateAnswered,
    UpdateWithheld,
    ResultPosted,
    ResultStated,
    TrainerStruck,
    AggregatorTimedOut,
    RoundSkipped,
    RoundClosed,
    Challenged,
    ChallengeAnswered,
    RoundUndone,
    ValidationRevealed,
    ProjectEnded,
    Released,
    Claimed,
    *SKETCH_EVENTS,
)
