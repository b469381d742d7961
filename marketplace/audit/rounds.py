"""A round, and its cohorts, as the replay of a project's events leaves them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from marketplace.audit.settlement import Settlement
from marketplace.chain.events import (
    AggregatorTimedOut,
    BatchPosted,
    ChallengeAnswered,
    Challenged,
    ChunkQuestioned,
    ChunkShown,
    KeyResealed,
    ReferenceSubmitted,
    ResultPosted,
    ResultStated,
    RoundClosed,
    RoundOpened,
    RoundSkipped,
    RoundUndone,
    SketchAnswered,
    SketchDrawn,
    SketchQuestioned,
    SketchRefuted,
    SketchResultPosted,
    TrainerStruck,
    UpdateAnswered,
    UpdateChunkAnswered,
    UpdatesComplained,
    UpdateSubmitted,
    UpdateWithheld,
)
from marketplace.chain.types import Address, RoundResult, SketchStatement
from marketplace.node.arrivals import Received
from zk.curve import Point


class Theme(StrEnum):
    """What a violation is about; the audit has a check for each, and for each cohort's round."""

    TIMELINE = "timeline"
    ARRIVALS = "arrivals"
    COMPLAINTS = "complaints"
    SEED = "sketch seed"
    COMMITMENTS = "commitments"
    JUDGEMENT = "judgement"
    PAYMENTS = "payments"
    MODEL = "model commitment"
    DISPUTES = "disputes"  # on the sketch path: what is asked about a chunk or a sketch, and answered
    MONEY = "money"


@dataclass(frozen=True)
class Violation:
    """An event that the rules do not allow, or one that they demand and that is missing."""

    theme: Theme
    round: int  # 0: before the first
    cohort: int | None  # None: the round as a whole
    message: str

    def __str__(self) -> str:
        return self.message


class Outcome(StrEnum):
    """How a round stands."""

    OPEN = "open"
    SETTLED = "settled"
    SKIPPED = "skipped"
    HALTED = "halted"
    UNDONE = "undone"  # after a challenge that was not answered
    VOID = "void"  # under way when the round before it was undone


@dataclass
class CohortReplay:
    """A cohort's round, filled in while its events are replayed.

    `numbers`, `trainers`: by slot; None where the seat is empty (trainers: when the cohort's round ended, or now).
    Masks have a bit for each slot, bit K for the reference. `result` None with `unread` saying why, where a result was
    posted but its calldata cannot be read. `model`: its commitment after the result, `before` it: that before.
    `commitments`: by input, as the result opened them; on the sketch path (root, J), and `sketches` are the proof's.
    """

    index: int
    numbers: tuple[int | None, ...]
    before: Point
    model: Point
    trainers: tuple[Address | None, ...] = ()
    arrived: list[UpdateSubmitted | BatchPosted] = field(default_factory=list)
    complaints: list[UpdatesComplained] = field(default_factory=list)
    answers: list[UpdateAnswered] = field(default_factory=list)
    withheld: list[UpdateWithheld] = field(default_factory=list)
    strikes: list[TrainerStruck] = field(default_factory=list)
    complained: int = 0
    answered: int = 0
    disputed: dict[int, bytes] = field(default_factory=dict)  # digests that answers must open
    touched: bool = False  # whether the contract's storage is of this round
    posted: ResultPosted | None = None
    skipped: RoundSkipped | None = None
    result: RoundResult | None = None
    unread: str = ""
    received: Received | None = None
    commitments: tuple[Point, ...] = ()
    sketches: tuple[Point, ...] = ()
    named: dict[int, int] = field(default_factory=dict)  # the chunk that a complaint about a slot names
    chunk_answers: list[UpdateChunkAnswered] = field(default_factory=list)
    unshown: str = ""  # why the calldata of one of those could not be told
    left_out: int = (
        0  # inputs whose complaint was answered and that the aggregator could not open all the same
    )
    statement: SketchStatement | None = None
    stated: SketchResultPosted | ResultStated | None = None
    settlement: Settlement | None = None
    demand: Challenged | None = None  # of the result's proof
    proof: ChallengeAnswered | None = None

    @property
    def submissions(self) -> list[UpdateSubmitted]:
        """By transaction, in the order of arrival."""
        return [event for event in self.arrived if isinstance(event, UpdateSubmitted)]

    @property
    def submitted(self) -> int:
        """Mask of the slots that submitted by transaction."""
        return sum(1 << submission.slot for submission in self.submissions)

    @property
    def batch(self) -> BatchPosted | None:
        """The aggregator's batch."""
        return next((event for event in self.arrived if isinstance(event, BatchPosted)), None)

    @property
    def batched(self) -> int:
        """Mask of the slots said to be in the batch."""
        return self.batch.slots if self.batch is not None else 0

    @property
    def updates(self) -> int:
        """How many updates are there, or are said to be, that no complaint stands against."""
        return ((self.submitted | self.batched) & ~self.complained).bit_count()

    @property
    def concluded(self) -> bool:
        """Whether there is a result or a skip."""
        return self.posted is not None or self.skipped is not None

    def submission_of(self, slot: int) -> UpdateSubmitted | None:
        """What a slot submitted by transaction."""
        return next((found for found in self.submissions if found.slot == slot), None)


@dataclass
class Dispute:
    """On the sketch path: a chunk or a sketch of the round that was asked about, and what became of it.

    `unread`: why the calldata of an answer or a refutation could not be told; "" where it was, or there is none.
    """

    challenged: Challenged
    question: ChunkQuestioned | SketchQuestioned
    shown: ChunkShown | None = None
    answer: SketchAnswered | None = None
    refuted: SketchRefuted | None = None
    closed: ChallengeAnswered | None = None
    unread: str = ""


@dataclass
class RoundReplay:
    """A round, filled in while its events are replayed. `carried`: bonds its time-outs brought, in the token's unit."""

    opened: RoundOpened
    cohorts: tuple[CohortReplay, ...]
    reference: ReferenceSubmitted | None = None
    reseals: list[KeyResealed] = field(default_factory=list)
    timeouts: list[AggregatorTimedOut] = field(default_factory=list)
    challenges: list[Challenged] = field(default_factory=list)
    model_answer: ChallengeAnswered | None = None
    drawn: SketchDrawn | None = None
    disputes: list[Dispute] = field(default_factory=list)
    closed: RoundClosed | None = None
    undone: RoundUndone | None = None
    outcome: Outcome = Outcome.OPEN

    @property
    def number(self) -> int:
        """t, from 1."""
        return self.opened.round

    @property
    def carried(self) -> int:
        """What bonds its time-outs brought."""
        return sum(event.slashed for event in self.timeouts)

    @property
    def stands(self) -> bool:
        """Whether its results count."""
        return self.outcome not in (Outcome.UNDONE, Outcome.VOID)

    @property
    def results(self) -> list[CohortReplay]:
        """The cohorts with a result, in the order in which they were posted."""
        found = [cohort for cohort in self.cohorts if cohort.posted is not None]
        return sorted(
            found, key=lambda c: (c.posted.block_number, c.posted.log_index) if c.posted else (0, 0)
        )

    @property
    def moving(self) -> list[CohortReplay]:
        """Those of its results that merged something."""
        return [cohort for cohort in self.results if cohort.posted is not None and cohort.posted.merged]

    @property
    def model_result(self) -> CohortReplay | None:
        """The last result that moved the model: its model is the one that the next round starts from."""
        return self.moving[-1] if self.moving else None
