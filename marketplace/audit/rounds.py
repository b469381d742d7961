"""A round as the replay of a project's events leaves it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from marketplace.audit.settlement import Settlement
from marketplace.chain.events import (
    AggregatorTimedOut,
    KeyResealed,
    ResultPosted,
    RoundOpened,
    RoundSkipped,
    TrainerPaid,
    TrainerStruck,
    UpdateSubmitted,
)
from marketplace.chain.types import Address, RoundResult
from zk.curve import Point


class Theme(StrEnum):
    """What a violation is about; the audit has a check for each, and for each round."""

    TIMELINE = "timeline"
    SUBMISSIONS = "submissions"
    JUDGEMENT = "judgement"
    PAYMENTS = "payments"
    COMMITMENT = "model commitment"
    MONEY = "money"


@dataclass(frozen=True)
class Violation:
    """An event that the rules do not allow, or one that they demand and that is missing."""

    theme: Theme
    round: int  # 0: before the first
    message: str

    def __str__(self) -> str:
        return self.message


class Outcome(StrEnum):
    """How a round stands."""

    OPEN = "open"
    PROVED = "proved"
    SKIPPED = "skipped"
    HALTED = "halted"


@dataclass
class RoundReplay:
    """A round, filled in while its events are replayed; nothing changes it afterwards.

    Deadlines in seconds, as they stand after an early close or time-outs. `trainers` by slot when the round
    ended (or now). `carried`: bonds its time-outs brought, in the token's unit. `result` None with `unread`
    saying why, where the round is proved but its calldata cannot be read. `model`: its commitment after the
    round.
    """

    opened: RoundOpened
    submit_deadline: int
    result_deadline: int
    model: Point
    trainers: tuple[Address, ...] = ()
    submissions: list[UpdateSubmitted] = field(default_factory=list)
    reseals: list[KeyResealed] = field(default_factory=list)
    timeouts: list[AggregatorTimedOut] = field(default_factory=list)
    strikes: list[TrainerStruck] = field(default_factory=list)
    payments: list[TrainerPaid] = field(default_factory=list)
    carried: int = 0
    outcome: Outcome = Outcome.OPEN
    posted: ResultPosted | None = None
    skipped: RoundSkipped | None = None
    result: RoundResult | None = None
    unread: str = ""
    settlement: Settlement | None = None

    @property
    def number(self) -> int:
        """t, from 1."""
        return self.opened.round

    @property
    def submitted(self) -> int:
        """Bit mask of the slots that submitted."""
        return sum(1 << submission.slot for submission in self.submissions)

    def submission_of(self, slot: int) -> UpdateSubmitted | None:
        """What a slot submitted."""
        return next((found for found in self.submissions if found.slot == slot), None)
