"""The book that a replay keeps while it walks through a project's events."""

from __future__ import annotations

from dataclasses import dataclass

from marketplace.audit.history import History
from marketplace.audit.members import Members
from marketplace.audit.rounds import Outcome, RoundReplay, Theme, Violation
from marketplace.chain import events as e
from marketplace.chain.types import Address, Project, Status
from marketplace.protocol.krum import quorum
from zk.curve import INFINITY


@dataclass(frozen=True)
class Movement:
    """Stake that an event must have moved in the vault, in the same transaction."""

    kind: type[e.Event]  # Locked, Unlocked or Slashed
    account: Address
    amount: int
    transaction_hash: bytes


@dataclass(frozen=True)
class Recorded:
    """What an event must have written into the reputation registry, in the same transaction."""

    transaction_hash: bytes
    round: int
    aggregator: Address | None  # None: the round's trainers
    fault: bool


class Book:
    """Where the project stands, and what was found wrong so far.

    `due`: the event that must come next, and its transaction. Amounts in the token's smallest unit.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self.terms = history.terms
        self.quorum = quorum(self.terms.slots, self.terms.faults)
        self.zero = history.circuit.zero if history.circuit is not None else INFINITY
        self.members = Members(self.terms)
        self.owner: Address = history.state.owner
        self.status = Status.NONE
        self.join_deadline = 0
        self.aggregator_index = 0
        self.escrow = 0
        self.model = self.terms.initial_model
        self.rounds: list[RoundReplay] = []
        self.due: tuple[type[e.Event], bytes] | None = None
        self.violations: list[Violation] = []
        self.movements: list[Movement] = []
        self.records: list[Recorded] = []
        self.paid = self.fees = self.slashed = self.refund = 0

    @property
    def current(self) -> RoundReplay | None:
        """The newest round."""
        return self.rounds[-1] if self.rounds else None

    def state(self) -> Project:
        """The project as it must stand on chain."""
        current = self.current
        return Project(
            owner=self.owner,
            status=self.status,
            round=current.number if current else 0,
            trainer_count=len(self.members.trainers),
            aggregator_count=len(self.members.aggregators),
            aggregator_index=self.aggregator_index,
            submitted_count=len(current.submissions) if current else 0,
            join_deadline=self.join_deadline,
            submit_deadline=current.submit_deadline if current else 0,
            result_deadline=current.result_deadline if current else 0,
            occupied=self.members.occupied,
            submitted=current.submitted if current else 0,
            escrow=self.escrow,
            pot=current.carried if current and self.status is Status.ACTIVE else 0,
            model=self.model,
        )

    def wrong(self, theme: Theme, message: str) -> None:
        """Notes a violation in the newest round."""
        number = self.rounds[-1].number if self.rounds else 0
        self.violations.append(Violation(theme, number, message))

    def require(self, holds: bool, theme: Theme, event: e.Event, message: str) -> None:
        """Notes a violation by `event` unless `holds`."""
        if not holds:
            self.wrong(theme, f"{name_of(event)}: {message}")

    def in_round(self, event: e.Event, round: int) -> RoundReplay | None:
        """The round under way, if it is the one that `event` speaks of."""
        current = self.current
        open_ = current is not None and current.outcome is Outcome.OPEN and current.number == round
        self.require(
            open_ and self.status is Status.ACTIVE, Theme.TIMELINE, event, f"round {round} was not under way"
        )
        return current if open_ else None

    def require_turn(self, event: e.Event, aggregator: Address) -> None:
        """Notes a violation unless it is the aggregator's turn."""
        listed = self.members.aggregators
        turn = self.aggregator_index < len(listed) and listed[self.aggregator_index] == aggregator
        self.require(turn, Theme.TIMELINE, event, f"it was not {aggregator}'s turn")

    def count_without(self, event: e.Event, current: RoundReplay, omitted: int) -> int:
        """Updates left without the omitted slots, which must have submitted and be few enough."""
        count = omitted.bit_count()
        allowed = not omitted & ~current.submitted and count <= self.terms.faults
        self.require(allowed, Theme.TIMELINE, event, f"{count} slots were omitted that could not be")
        return len(current.submissions) - count

    def close_if_complete(self, current: RoundReplay, time: int) -> None:
        """The last awaited submission closes the window at once."""
        if current.submitted == self.members.occupied:
            current.submit_deadline = time
            current.result_deadline = time + self.terms.result_window

    def advance(self, event: e.Event, current: RoundReplay) -> None:
        """After a round comes the next one, or the end."""
        last = current.number >= self.terms.rounds or len(self.members.trainers) < self.quorum
        self.due = (e.ProjectEnded if last else e.RoundOpened, event.transaction_hash)

    def moves(self, kind: type[e.Event], account: Address, amount: int, event: e.Event) -> None:
        """Notes what the vault must have moved."""
        if amount or kind is not e.Slashed:  # the market does not ask the vault to slash nothing
            self.movements.append(Movement(kind, account, amount, event.transaction_hash))

    def settle_leftovers(self, current: RoundReplay) -> None:
        """Strikes and payments belong to a result."""
        if current.posted is None and (current.strikes or current.payments):
            stray = (current.strikes or current.payments)[0]
            self.wrong(Theme.PAYMENTS, f"{name_of(stray)} belongs to no result")


def name_of(event: e.Event) -> str:
    """An event and where it stands, in words."""
    return f"{type(event).__name__} in transaction 0x{event.transaction_hash.hex()}"
