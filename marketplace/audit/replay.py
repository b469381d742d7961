"""Replays a project's events against the rules of docs/protocol.md: the market's state machine, from outside.

Every event is held against what the rules allow at its place; what they demand besides is derived anew. A
violation does not stop the replay: it goes on with what the chain says, so that all are found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from marketplace.audit.claims import wrong_claim
from marketplace.audit.history import History
from marketplace.audit.members import Members
from marketplace.audit.rounds import Outcome, RoundReplay, Theme, Violation
from marketplace.audit.settlement import settle
from marketplace.chain import events as e
from marketplace.chain.types import Address, Project, RoundResult, Status
from marketplace.errors import FairshareError
from marketplace.node.project import rules_of
from marketplace.protocol.krum import quorum
from zk.curve import INFINITY, Point, is_on_curve

SEALED_KEY_BYTES = 80
MAX_CONTACT_BYTES = 256


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


@dataclass(frozen=True)
class Replay:
    """What the events amount to. `state`: the project as it must stand on chain. Amounts in the token's unit."""

    rounds: tuple[RoundReplay, ...]
    state: Project
    members: Members
    violations: tuple[Violation, ...]
    movements: tuple[Movement, ...]
    records: tuple[Recorded, ...]
    paid: int
    fees: int
    slashed: int
    refund: int

    def about(self, theme: Theme, round: int | None = None) -> list[Violation]:
        """The violations of one theme, and round."""
        return [found for found in self.violations if found.theme is theme and round in (None, found.round)]


def replay(history: History) -> Replay:
    """Replays all events; never fails on what they say."""
    machine = _Machine(history)
    for event in history.events:
        machine.take(event)
    machine.finish()
    return Replay(
        rounds=tuple(machine.rounds),
        state=machine.state(),
        members=machine.members,
        violations=tuple(machine.violations),
        movements=tuple(machine.movements),
        records=tuple(machine.records),
        paid=machine.paid,
        fees=machine.fees,
        slashed=machine.slashed,
        refund=machine.refund,
    )


class _Machine:
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
        self.due: tuple[type[e.Event], bytes] | None = None  # what must come next, in this transaction
        self.violations: list[Violation] = []
        self.movements: list[Movement] = []
        self.records: list[Recorded] = []
        self.paid = self.fees = self.slashed = self.refund = 0

    # Walking

    def take(self, event: e.Event) -> None:
        due, self.due = self.due, None
        if due is not None and (type(event), event.transaction_hash) != due:
            self._wrong(Theme.TIMELINE, f"{_name(event)} comes where {due[0].__name__} is due")
        if self.status is Status.NONE and not isinstance(event, e.ProjectCreated):
            self._wrong(Theme.TIMELINE, f"{_name(event)} comes before the project was created")
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event, self.history.times.get(event.block_number, 0))

    def finish(self) -> None:
        if self.due is not None:
            self._wrong(Theme.TIMELINE, f"{self.due[0].__name__} is missing at the end")
        if self.status is Status.NONE:
            self._wrong(Theme.TIMELINE, "ProjectCreated is missing")
        current = self._current
        if current is not None:
            self._settle_leftovers(current)
            current.trainers = current.trainers or self.members.by_slot()

    def state(self) -> Project:
        current = self._current
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

    @property
    def _current(self) -> RoundReplay | None:
        return self.rounds[-1] if self.rounds else None

    def _wrong(self, theme: Theme, message: str) -> None:
        number = self.rounds[-1].number if self.rounds else 0
        self.violations.append(Violation(theme, number, message))

    def _require(self, holds: bool, theme: Theme, event: e.Event, message: str) -> None:
        if not holds:
            self._wrong(theme, f"{_name(event)}: {message}")

    # Before the start

    def created(self, event: e.ProjectCreated, time: int) -> None:
        terms = self.terms
        self._require(self.status is Status.NONE, Theme.TIMELINE, event, "the project was there already")
        said = (event.owner, event.circuit, event.spec, event.token, event.reward)
        held = (self.history.state.owner, terms.circuit, terms.spec, terms.token, terms.reward)
        for name, found, kept in zip(
            ("owner", "circuit", "spec", "token", "reward"), said, held, strict=True
        ):
            self._require(found == kept, Theme.TIMELINE, event, f"{name} is not what the contract holds")
        self.status, self.owner = Status.OPEN, event.owner
        self.join_deadline = time + terms.join_window
        self.escrow = event.reward

    def trainer_joined(self, event: e.TrainerJoined, time: int) -> None:
        open_ = self.status is Status.OPEN and time < self.join_deadline
        self._require(open_, Theme.TIMELINE, event, "joining was over")
        wrong = self.members.join(event.slot, event.trainer)
        self._require(not wrong, Theme.TIMELINE, event, f"{event.trainer} {wrong}")
        self._moves(e.Locked, event.trainer, self.terms.trainer_stake, event)

    def aggregator_joined(self, event: e.AggregatorJoined, time: int) -> None:
        open_ = self.status is Status.ACTIVE or (self.status is Status.OPEN and time < self.join_deadline)
        self._require(open_, Theme.TIMELINE, event, "joining was over")
        self._require(
            len(event.contact) <= MAX_CONTACT_BYTES, Theme.TIMELINE, event, "its contact is too long"
        )
        wrong = self.members.join_aggregator(event.index, event.aggregator)
        self._require(not wrong, Theme.TIMELINE, event, f"{event.aggregator} {wrong}")
        self._moves(e.Locked, event.aggregator, self.terms.aggregator_bond, event)

    def trainer_left(self, event: e.TrainerLeft, time: int) -> None:
        alive = self.status in (Status.OPEN, Status.ACTIVE)
        self._require(alive, Theme.TIMELINE, event, "the project had ended")
        current = self._current
        busy = current is not None and current.submission_of(event.slot) is not None
        self._require(not busy, Theme.TIMELINE, event, f"{event.trainer} had submitted in this round")
        freed, wrong = self.members.leave(event.slot, event.trainer)
        self._require(not wrong, Theme.TIMELINE, event, f"{event.trainer} {wrong}")
        self._moves(e.Unlocked, event.trainer, freed, event)
        if current is not None and time < current.submit_deadline:
            self._close_if_complete(current, time)

    def aggregator_left(self, event: e.AggregatorLeft, time: int) -> None:
        waiting = self.status is Status.OPEN or (
            self.status is Status.ACTIVE and event.index > self.aggregator_index
        )
        self._require(waiting, Theme.TIMELINE, event, f"{event.aggregator} could not leave any more")
        freed, wrong = self.members.leave_aggregator(event.index, event.aggregator)
        self._require(not wrong, Theme.TIMELINE, event, f"{event.aggregator} {wrong}")
        self._moves(e.Unlocked, event.aggregator, freed, event)

    # Rounds

    def opened(self, event: e.RoundOpened, time: int) -> None:
        current, terms = self._current, self.terms
        number = current.number + 1 if current else 1
        if current is None:
            needed = terms.slots if time < self.join_deadline else self.quorum
            ready = bool(self.members.aggregators) and len(self.members.trainers) >= needed
            self._require(
                self.status is Status.OPEN and ready, Theme.TIMELINE, event, "the project could not start"
            )
        else:
            ended = current.outcome in (Outcome.PROVED, Outcome.SKIPPED)
            self._require(ended, Theme.TIMELINE, event, f"round {current.number} was not over")
            self._settle_leftovers(current)
        self.status = Status.ACTIVE
        submit_deadline = time + terms.submit_window
        replayed = RoundReplay(event, submit_deadline, submit_deadline + terms.result_window, self.model)
        self.rounds.append(replayed)
        self._require(event.round == number, Theme.TIMELINE, event, f"round {number} was due")
        self._require(event.round <= terms.rounds, Theme.TIMELINE, event, "there are not so many rounds")
        self._require(
            (event.submit_deadline, event.result_deadline)
            == (replayed.submit_deadline, replayed.result_deadline),
            Theme.TIMELINE,
            event,
            "its deadlines are not those of the terms",
        )

    def submitted(self, event: e.UpdateSubmitted, time: int) -> None:
        current = self._in_round(event, event.round)
        if current is None:
            return
        problems = [
            (time < current.submit_deadline, "the window was closed"),
            (
                self.members.trainers.get(event.slot) == event.trainer,
                f"slot {event.slot} is not the sender's",
            ),
            (current.submission_of(event.slot) is None, f"slot {event.slot} had submitted"),
            (event.position == len(current.submissions) + 1, f"its position {event.position} is wrong"),
            (_is_point(Point(event.x, event.y)), "the commitment is not a point of the curve"),
        ]
        for holds, message in problems:
            self._require(holds, Theme.SUBMISSIONS, event, f"{event.trainer}: {message}")
        if event.slot < self.terms.slots and current.submission_of(event.slot) is None:
            current.submissions.append(event)
        self._close_if_complete(current, time)

    def resealed(self, event: e.KeyResealed, time: int) -> None:
        current = self._in_round(event, event.round)
        if current is None:
            return
        closed = time >= current.submit_deadline
        self._require(closed, Theme.SUBMISSIONS, event, "the window was still open")
        has = any(submission.trainer == event.trainer for submission in current.submissions)
        self._require(has, Theme.SUBMISSIONS, event, f"{event.trainer} had not submitted")
        turn = event.aggregator_index == self.aggregator_index
        self._require(turn, Theme.SUBMISSIONS, event, "the key was sealed to another aggregator")
        fits = len(event.sealed_key) == SEALED_KEY_BYTES
        self._require(fits, Theme.SUBMISSIONS, event, f"the key has {len(event.sealed_key)} bytes")
        current.reseals.append(event)

    def struck(self, event: e.TrainerStruck, time: int) -> None:
        current = self._in_round(event, event.round)
        if current is not None:
            current.strikes.append(event)

    def trainer_paid(self, event: e.TrainerPaid, time: int) -> None:
        current = self._in_round(event, event.round)
        if current is not None:
            current.payments.append(event)

    def posted(self, event: e.ResultPosted, time: int) -> None:
        current = self._in_round(event, event.round)
        if current is None:
            return
        in_time = current.submit_deadline <= time < current.result_deadline
        self._require(in_time, Theme.TIMELINE, event, "it came outside its window")
        self._require_turn(event, event.aggregator)
        updates = self._count_without(event, current, event.omitted)
        self._require(updates >= self.quorum, Theme.TIMELINE, event, f"{updates} updates are no quorum")
        current.posted, current.outcome = event, Outcome.PROVED
        current.trainers = self.members.by_slot()
        fee = self.terms.aggregator_fee
        self._require(event.fee == fee, Theme.PAYMENTS, event, f"the fee is {event.fee}, not {fee}")
        self._settle(current, event)
        slashed = sum(strike.slashed for strike in current.strikes)
        given = sum(payment.amount for payment in current.payments)
        for strike in current.strikes:
            self.members.take(strike.trainer, strike.slashed)
            self._moves(e.Slashed, strike.trainer, strike.slashed, strike)
        self.slashed += slashed
        self.paid += given
        self.fees += event.fee
        self.escrow += current.carried + slashed - given - event.fee
        self.model = current.model = Point(event.x, event.y)
        self.records.append(Recorded(event.transaction_hash, event.round, None, False))
        self.records.append(Recorded(event.transaction_hash, event.round, event.aggregator, False))
        self._advance(event, current)

    def skipped(self, event: e.RoundSkipped, time: int) -> None:
        current = self._in_round(event, event.round)
        if current is None:
            return
        self._require(time >= current.submit_deadline, Theme.TIMELINE, event, "the window was still open")
        self._require(
            event.submitted == current.submitted, Theme.TIMELINE, event, "it names others than submitted"
        )
        count = len(current.submissions)
        if event.omitted:
            in_time = time < current.result_deadline
            self._require(in_time, Theme.TIMELINE, event, "the aggregator's deadline had passed")
            updates = self._count_without(event, current, event.omitted)
            needless = updates >= self.quorum or count < self.quorum
            self._require(not needless, Theme.TIMELINE, event, "its omissions do not decide the quorum")
            self.records.append(Recorded(event.transaction_hash, event.round, None, False))
        else:
            self._require(
                count < self.quorum,
                Theme.TIMELINE,
                event,
                f"{count} updates are a quorum: no skip is allowed",
            )
        current.skipped, current.outcome = event, Outcome.SKIPPED
        current.trainers = self.members.by_slot()
        self.escrow += current.carried
        self._advance(event, current)

    def timed_out(self, event: e.AggregatorTimedOut, time: int) -> None:
        current = self._in_round(event, event.round)
        if current is None:
            return
        due = time >= current.result_deadline and len(current.submissions) >= self.quorum
        self._require(due, Theme.TIMELINE, event, "no time-out was due")
        self._require_turn(event, event.aggregator)
        bond = self.members.locked.get(event.aggregator, 0)
        self._require(event.slashed == bond, Theme.MONEY, event, f"it took {event.slashed}, not {bond}")
        self.members.take(event.aggregator, event.slashed)
        self._moves(e.Slashed, event.aggregator, event.slashed, event)
        self.aggregator_index += 1
        halted = self.aggregator_index >= len(self.members.aggregators)
        current.result_deadline = 0 if halted else time + self.terms.result_window
        self._require(
            event.result_deadline == current.result_deadline,
            Theme.TIMELINE,
            event,
            "its new deadline is not that of the terms",
        )
        current.carried += event.slashed
        current.timeouts.append(event)
        self.slashed += event.slashed
        self.records.append(Recorded(event.transaction_hash, event.round, event.aggregator, True))
        if halted:
            current.outcome = Outcome.HALTED
            current.trainers = self.members.by_slot()
            self.due = (e.ProjectEnded, event.transaction_hash)

    # The end

    def ended(self, event: e.ProjectEnded, time: int) -> None:
        current = self._current
        outcome = current.outcome if current else None
        expected = {
            None: Status.CANCELLED,
            Outcome.HALTED: Status.HALTED,
            Outcome.PROVED: Status.SETTLED,
            Outcome.SKIPPED: Status.SETTLED,
        }.get(outcome)
        alive = self.status is (Status.ACTIVE if current else Status.OPEN)
        self._require(
            alive and event.status == expected,
            Theme.TIMELINE,
            event,
            f"it could not end as {event.status.name}",
        )
        if current is not None and outcome is Outcome.HALTED:
            self.escrow += current.carried
        self._require(
            event.refund == self.escrow,
            Theme.MONEY,
            event,
            f"the refund is {event.refund}, but {self.escrow} was left",
        )
        self.refund += event.refund
        self.escrow -= event.refund
        self.status = event.status

    def released(self, event: e.Released, time: int) -> None:
        over = self.status in (Status.SETTLED, Status.CANCELLED, Status.HALTED)
        self._require(over, Theme.TIMELINE, event, "the project was not over")
        held = self.members.locked.get(event.account, 0)
        self._require(
            event.amount == held != 0, Theme.MONEY, event, f"{event.account} got {event.amount}, not {held}"
        )
        self.members.locked[event.account] = 0
        self._moves(e.Unlocked, event.account, event.amount, event)

    # What several share

    def _in_round(self, event: e.Event, round: int) -> RoundReplay | None:
        current = self._current
        open_ = current is not None and current.outcome is Outcome.OPEN and current.number == round
        self._require(
            open_ and self.status is Status.ACTIVE, Theme.TIMELINE, event, f"round {round} was not under way"
        )
        return current if open_ else None

    def _require_turn(self, event: e.Event, aggregator: Address) -> None:
        listed = self.members.aggregators
        turn = self.aggregator_index < len(listed) and listed[self.aggregator_index] == aggregator
        self._require(turn, Theme.TIMELINE, event, f"it was not {aggregator}'s turn")

    def _count_without(self, event: e.Event, current: RoundReplay, omitted: int) -> int:
        count = omitted.bit_count()
        allowed = not omitted & ~current.submitted and count <= self.terms.faults
        self._require(allowed, Theme.TIMELINE, event, f"{count} slots were omitted that could not be")
        return len(current.submissions) - count

    def _close_if_complete(self, current: RoundReplay, time: int) -> None:
        if current.submitted == self.members.occupied:
            current.submit_deadline = time
            current.result_deadline = time + self.terms.result_window

    def _advance(self, event: e.Event, current: RoundReplay) -> None:
        last = current.number >= self.terms.rounds or len(self.members.trainers) < self.quorum
        self.due = (e.ProjectEnded if last else e.RoundOpened, event.transaction_hash)

    def _moves(self, kind: type[e.Event], account: Address, amount: int, event: e.Event) -> None:
        if amount or kind is not e.Slashed:  # the market does not ask the vault to slash nothing
            self.movements.append(Movement(kind, account, amount, event.transaction_hash))

    def _settle(self, current: RoundReplay, event: e.ResultPosted) -> None:
        """Derives what the result had to bring about, and holds its events against that."""
        read = self.history.results.get(event.transaction_hash, "its transaction was not read")
        if isinstance(read, str):
            current.unread = read
            return
        current.result = read
        self._hold_claims(event, read)
        try:
            settled = settle(
                self.terms,
                read,
                current.submissions,
                self.members.stakes(),
                current.carried,
                self.model,
                self.zero,
            )
        except (FairshareError, ValueError) as error:
            self._wrong(Theme.JUDGEMENT, f"{_name(event)}: its numbers cannot be judged: {error}")
            return
        current.settlement = settled
        judged = settled.judgement
        wrong = wrong_claim(rules_of(self.terms), settled.gram, judged, read)
        self._require(not wrong, Theme.JUDGEMENT, event, wrong)
        for name, mask, slots in (
            ("merged", event.merged, judged.merged),
            ("struck", event.struck, judged.struck),
        ):
            expected = sum(1 << slot for slot in slots)
            self._require(
                mask == expected, Theme.JUDGEMENT, event, f"{name} is {mask:#x}, but G gives {expected:#x}"
            )
        holder = current.trainers
        self._same(
            event,
            "a strike",
            [(strike.transaction_hash, strike.trainer, strike.slashed) for strike in current.strikes],
            [(event.transaction_hash, holder[slot], settled.losses[slot]) for slot in sorted(settled.losses)],
        )
        self._same(
            event,
            "a payment",
            [(p.transaction_hash, p.trainer, p.contribution, p.amount) for p in current.payments],
            [
                (event.transaction_hash, holder[slot], contribution, settled.amounts[slot])
                for slot, contribution in enumerate(judged.contributions)
                if contribution
            ],
        )
        self._require(
            Point(event.x, event.y) == settled.model,
            Theme.COMMITMENT,
            event,
            "the model's commitment is not the old one moved by the merged updates",
        )

    def _hold_claims(self, event: e.ResultPosted, result: RoundResult) -> None:
        for name, said, found in (
            ("omitted", result.omitted, event.omitted),
            ("merged", result.merged, event.merged),
            ("model", result.model, event.model),
        ):
            self._require(said == found, Theme.JUDGEMENT, event, f"{name} is not what its transaction said")

    def _same(
        self, event: e.Event, what: str, found: list[tuple[Any, ...]], due: list[tuple[Any, ...]]
    ) -> None:
        for place in range(max(len(found), len(due))):
            actual = found[place] if place < len(found) else None
            expected = due[place] if place < len(due) else None
            if actual != expected:
                self._wrong(
                    Theme.PAYMENTS,
                    f"{_name(event)}: {what} is {_words(actual)}, but G gives {_words(expected)}",
                )
                return

    def _settle_leftovers(self, current: RoundReplay) -> None:
        """Strikes and payments belong to a result."""
        if current.posted is None and (current.strikes or current.payments):
            stray = (current.strikes or current.payments)[0]
            self._wrong(Theme.PAYMENTS, f"{_name(stray)} belongs to no result")


_HANDLERS: dict[type[e.Event], Callable[..., None]] = {
    e.ProjectCreated: _Machine.created,
    e.TrainerJoined: _Machine.trainer_joined,
    e.TrainerLeft: _Machine.trainer_left,
    e.AggregatorJoined: _Machine.aggregator_joined,
    e.AggregatorLeft: _Machine.aggregator_left,
    e.RoundOpened: _Machine.opened,
    e.UpdateSubmitted: _Machine.submitted,
    e.KeyResealed: _Machine.resealed,
    e.TrainerStruck: _Machine.struck,
    e.TrainerPaid: _Machine.trainer_paid,
    e.ResultPosted: _Machine.posted,
    e.RoundSkipped: _Machine.skipped,
    e.AggregatorTimedOut: _Machine.timed_out,
    e.ProjectEnded: _Machine.ended,
    e.Released: _Machine.released,
}


def _is_point(point: Point) -> bool:
    return point != INFINITY and is_on_curve(point)


def _name(event: e.Event) -> str:
    return f"{type(event).__name__} in transaction 0x{event.transaction_hash.hex()}"


def _words(values: tuple[Any, ...] | None) -> str:
    return "missing" if values is None else ", ".join(str(value) for value in values[1:])
