"""How a project's events before, between and after its rounds must be: members, start and end."""

from __future__ import annotations

from marketplace.audit.book import Book
from marketplace.audit.rounds import Outcome, Theme
from marketplace.chain import events as e
from marketplace.chain.types import Status

MAX_CONTACT_BYTES = 256


def created(book: Book, event: e.ProjectCreated, time: int) -> None:
    terms = book.terms
    book.require(book.status is Status.NONE, Theme.TIMELINE, event, "the project was there already")
    said = (event.owner, event.circuit, event.spec, event.token, event.reward)
    held = (book.history.state.owner, terms.circuit, terms.spec, terms.token, terms.reward)
    for name, found, kept in zip(("owner", "circuit", "spec", "token", "reward"), said, held, strict=True):
        book.require(found == kept, Theme.TIMELINE, event, f"{name} is not what the contract holds")
    book.status, book.owner = Status.OPEN, event.owner
    book.join_deadline = time + terms.join_window
    book.escrow = event.reward


def trainer_joined(book: Book, event: e.TrainerJoined, time: int) -> None:
    open_ = book.status is Status.OPEN and time < book.join_deadline
    book.require(open_, Theme.TIMELINE, event, "joining was over")
    wrong = book.members.join(event.slot, event.trainer)
    book.require(not wrong, Theme.TIMELINE, event, f"{event.trainer} {wrong}")
    book.moves(e.Locked, event.trainer, book.terms.trainer_stake, event)


def aggregator_joined(book: Book, event: e.AggregatorJoined, time: int) -> None:
    open_ = book.status is Status.ACTIVE or (book.status is Status.OPEN and time < book.join_deadline)
    book.require(open_, Theme.TIMELINE, event, "joining was over")
    book.require(len(event.contact) <= MAX_CONTACT_BYTES, Theme.TIMELINE, event, "its contact is too long")
    wrong = book.members.join_aggregator(event.index, event.aggregator)
    book.require(not wrong, Theme.TIMELINE, event, f"{event.aggregator} {wrong}")
    book.moves(e.Locked, event.aggregator, book.terms.aggregator_bond, event)


def trainer_left(book: Book, event: e.TrainerLeft, time: int) -> None:
    alive = book.status in (Status.OPEN, Status.ACTIVE)
    book.require(alive, Theme.TIMELINE, event, "the project had ended")
    current = book.current
    busy = current is not None and current.submission_of(event.slot) is not None
    book.require(not busy, Theme.TIMELINE, event, f"{event.trainer} had submitted in this round")
    freed, wrong = book.members.leave(event.slot, event.trainer)
    book.require(not wrong, Theme.TIMELINE, event, f"{event.trainer} {wrong}")
    book.moves(e.Unlocked, event.trainer, freed, event)
    if current is not None and time < current.submit_deadline:
        book.close_if_complete(current, time)


def aggregator_left(book: Book, event: e.AggregatorLeft, time: int) -> None:
    waiting = book.status is Status.OPEN or (
        book.status is Status.ACTIVE and event.index > book.aggregator_index
    )
    book.require(waiting, Theme.TIMELINE, event, f"{event.aggregator} could not leave any more")
    freed, wrong = book.members.leave_aggregator(event.index, event.aggregator)
    book.require(not wrong, Theme.TIMELINE, event, f"{event.aggregator} {wrong}")
    book.moves(e.Unlocked, event.aggregator, freed, event)


def ended(book: Book, event: e.ProjectEnded, time: int) -> None:
    current = book.current
    outcome = current.outcome if current else None
    expected = {
        None: Status.CANCELLED,
        Outcome.HALTED: Status.HALTED,
        Outcome.PROVED: Status.SETTLED,
        Outcome.SKIPPED: Status.SETTLED,
    }.get(outcome)
    alive = book.status is (Status.ACTIVE if current else Status.OPEN)
    book.require(
        alive and event.status == expected,
        Theme.TIMELINE,
        event,
        f"it could not end as {event.status.name}",
    )
    if current is not None and outcome is Outcome.HALTED:
        book.escrow += current.carried
    book.require(
        event.refund == book.escrow,
        Theme.MONEY,
        event,
        f"the refund is {event.refund}, but {book.escrow} was left",
    )
    book.refund += event.refund
    book.escrow -= event.refund
    book.status = event.status


def released(book: Book, event: e.Released, time: int) -> None:
    over = book.status in (Status.SETTLED, Status.CANCELLED, Status.HALTED)
    book.require(over, Theme.TIMELINE, event, "the project was not over")
    held = book.members.locked.get(event.account, 0)
    book.require(
        event.amount == held != 0, Theme.MONEY, event, f"{event.account} got {event.amount}, not {held}"
    )
    book.members.locked[event.account] = 0
    book.moves(e.Unlocked, event.account, event.amount, event)
