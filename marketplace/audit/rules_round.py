"""How the events of a round must be: its opening, submissions, and its end without a result."""

from __future__ import annotations

from marketplace.audit.book import Book, Recorded
from marketplace.audit.rounds import Outcome, RoundReplay, Theme
from marketplace.chain import events as e
from marketplace.chain.types import Status
from zk.curve import INFINITY, Point, is_on_curve

SEALED_KEY_BYTES = 80


def opened(book: Book, event: e.RoundOpened, time: int) -> None:
    current, terms = book.current, book.terms
    number = current.number + 1 if current else 1
    if current is None:
        needed = terms.slots if time < book.join_deadline else book.quorum
        ready = bool(book.members.aggregators) and len(book.members.trainers) >= needed
        book.require(
            book.status is Status.OPEN and ready, Theme.TIMELINE, event, "the project could not start"
        )
    else:
        ended = current.outcome in (Outcome.PROVED, Outcome.SKIPPED)
        book.require(ended, Theme.TIMELINE, event, f"round {current.number} was not over")
        book.settle_leftovers(current)
    book.status = Status.ACTIVE
    submit_deadline = time + terms.submit_window
    replayed = RoundReplay(event, submit_deadline, submit_deadline + terms.result_window, book.model)
    book.rounds.append(replayed)
    book.require(event.round == number, Theme.TIMELINE, event, f"round {number} was due")
    book.require(event.round <= terms.rounds, Theme.TIMELINE, event, "there are not so many rounds")
    book.require(
        (event.submit_deadline, event.result_deadline)
        == (replayed.submit_deadline, replayed.result_deadline),
        Theme.TIMELINE,
        event,
        "its deadlines are not those of the terms",
    )


def submitted(book: Book, event: e.UpdateSubmitted, time: int) -> None:
    current = book.in_round(event, event.round)
    if current is None:
        return
    problems = [
        (time < current.submit_deadline, "the window was closed"),
        (
            book.members.trainers.get(event.slot) == event.trainer,
            f"slot {event.slot} is not the sender's",
        ),
        (current.submission_of(event.slot) is None, f"slot {event.slot} had submitted"),
        (event.position == len(current.submissions) + 1, f"its position {event.position} is wrong"),
        (_is_point(Point(event.x, event.y)), "the commitment is not a point of the curve"),
    ]
    for holds, message in problems:
        book.require(holds, Theme.SUBMISSIONS, event, f"{event.trainer}: {message}")
    if event.slot < book.terms.slots and current.submission_of(event.slot) is None:
        current.submissions.append(event)
    book.close_if_complete(current, time)


def resealed(book: Book, event: e.KeyResealed, time: int) -> None:
    current = book.in_round(event, event.round)
    if current is None:
        return
    closed = time >= current.submit_deadline
    book.require(closed, Theme.SUBMISSIONS, event, "the window was still open")
    has = any(submission.trainer == event.trainer for submission in current.submissions)
    book.require(has, Theme.SUBMISSIONS, event, f"{event.trainer} had not submitted")
    turn = event.aggregator_index == book.aggregator_index
    book.require(turn, Theme.SUBMISSIONS, event, "the key was sealed to another aggregator")
    fits = len(event.sealed_key) == SEALED_KEY_BYTES
    book.require(fits, Theme.SUBMISSIONS, event, f"the key has {len(event.sealed_key)} bytes")
    current.reseals.append(event)


def skipped(book: Book, event: e.RoundSkipped, time: int) -> None:
    current = book.in_round(event, event.round)
    if current is None:
        return
    book.require(time >= current.submit_deadline, Theme.TIMELINE, event, "the window was still open")
    book.require(
        event.submitted == current.submitted, Theme.TIMELINE, event, "it names others than submitted"
    )
    count = len(current.submissions)
    if event.omitted:
        in_time = time < current.result_deadline
        book.require(in_time, Theme.TIMELINE, event, "the aggregator's deadline had passed")
        updates = book.count_without(event, current, event.omitted)
        needless = updates >= book.quorum or count < book.quorum
        book.require(not needless, Theme.TIMELINE, event, "its omissions do not decide the quorum")
        book.records.append(Recorded(event.transaction_hash, event.round, None, False))
    else:
        book.require(
            count < book.quorum,
            Theme.TIMELINE,
            event,
            f"{count} updates are a quorum: no skip is allowed",
        )
    current.skipped, current.outcome = event, Outcome.SKIPPED
    current.trainers = book.members.by_slot()
    book.escrow += current.carried
    book.advance(event, current)


def timed_out(book: Book, event: e.AggregatorTimedOut, time: int) -> None:
    current = book.in_round(event, event.round)
    if current is None:
        return
    due = time >= current.result_deadline and len(current.submissions) >= book.quorum
    book.require(due, Theme.TIMELINE, event, "no time-out was due")
    book.require_turn(event, event.aggregator)
    bond = book.members.locked.get(event.aggregator, 0)
    book.require(event.slashed == bond, Theme.MONEY, event, f"it took {event.slashed}, not {bond}")
    book.members.take(event.aggregator, event.slashed)
    book.moves(e.Slashed, event.aggregator, event.slashed, event)
    book.aggregator_index += 1
    halted = book.aggregator_index >= len(book.members.aggregators)
    current.result_deadline = 0 if halted else time + book.terms.result_window
    book.require(
        event.result_deadline == current.result_deadline,
        Theme.TIMELINE,
        event,
        "its new deadline is not that of the terms",
    )
    current.carried += event.slashed
    current.timeouts.append(event)
    book.slashed += event.slashed
    book.records.append(Recorded(event.transaction_hash, event.round, event.aggregator, True))
    if halted:
        current.outcome = Outcome.HALTED
        current.trainers = book.members.by_slot()
        book.due = (e.ProjectEnded, event.transaction_hash)


def _is_point(point: Point) -> bool:
    return point != INFINITY and is_on_curve(point)
