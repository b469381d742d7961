"""Replays a project's events against the rules of docs/protocol.md: the market's state machine, from outside.

Every event is held against what the rules allow at its place; what they demand besides is derived anew. A
violation does not stop the replay: it goes on with what the chain says, so that all are found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from marketplace.audit import rules_members, rules_result, rules_round
from marketplace.audit.book import Book, Movement, Recorded, name_of
from marketplace.audit.history import History
from marketplace.audit.members import Members
from marketplace.audit.rounds import RoundReplay, Theme, Violation
from marketplace.chain import events as e
from marketplace.chain.types import Project, Status

_RULES: dict[type[e.Event], Callable[..., None]] = {  # (book, event, its block's timestamp)
    e.ProjectCreated: rules_members.created,
    e.TrainerJoined: rules_members.trainer_joined,
    e.TrainerLeft: rules_members.trainer_left,
    e.AggregatorJoined: rules_members.aggregator_joined,
    e.AggregatorLeft: rules_members.aggregator_left,
    e.RoundOpened: rules_round.opened,
    e.UpdateSubmitted: rules_round.submitted,
    e.KeyResealed: rules_round.resealed,
    e.TrainerStruck: rules_result.struck,
    e.TrainerPaid: rules_result.trainer_paid,
    e.ResultPosted: rules_result.posted,
    e.RoundSkipped: rules_round.skipped,
    e.AggregatorTimedOut: rules_round.timed_out,
    e.ProjectEnded: rules_members.ended,
    e.Released: rules_members.released,
}


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
    book = Book(history)
    for event in history.events:
        _take(book, event)
    _finish(book)
    return Replay(
        rounds=tuple(book.rounds),
        state=book.state(),
        members=book.members,
        violations=tuple(book.violations),
        movements=tuple(book.movements),
        records=tuple(book.records),
        paid=book.paid,
        fees=book.fees,
        slashed=book.slashed,
        refund=book.refund,
    )


def _take(book: Book, event: e.Event) -> None:
    due, book.due = book.due, None
    if due is not None and (type(event), event.transaction_hash) != due:
        book.wrong(Theme.TIMELINE, f"{name_of(event)} comes where {due[0].__name__} is due")
    if book.status is Status.NONE and not isinstance(event, e.ProjectCreated):
        book.wrong(Theme.TIMELINE, f"{name_of(event)} comes before the project was created")
    rule = _RULES.get(type(event))
    if rule is not None:
        rule(book, event, book.history.times.get(event.block_number, 0))


def _finish(book: Book) -> None:
    if book.due is not None:
        book.wrong(Theme.TIMELINE, f"{book.due[0].__name__} is missing at the end")
    if book.status is Status.NONE:
        book.wrong(Theme.TIMELINE, "ProjectCreated is missing")
    current = book.current
    if current is not None:
        book.settle_leftovers(current)
        current.trainers = current.trainers or book.members.by_slot()
