"""How the events of a round must be: its opening, what arrives, and its end without a result."""

from __future__ import annotations

from marketplace.audit.book import Book, Recorded
from marketplace.audit.rounds import CohortReplay, Outcome, RoundReplay, Theme
from marketplace.audit.rules_complaint import settle_silence
from marketplace.chain import events as e
from marketplace.chain.types import ScoreRule, Status

SEALED_KEY_BYTES = 80


def opened(book: Book, event: e.RoundOpened, time: int) -> None:
    p, terms = book.standing, book.terms
    number = p.round + 1
    book.require(p.status is Status.ACTIVE, Theme.TIMELINE, event, "the project was not active")
    over = book.current is None or book.current.outcome is not Outcome.OPEN
    book.require(over, Theme.TIMELINE, event, f"round {p.round} was not over")
    book.rounds.append(RoundReplay(event, book.new_cohorts(event.round)))
    book.require(event.round == number, Theme.TIMELINE, event, f"round {number} was due")
    book.require(event.round <= p.last_round, Theme.TIMELINE, event, "there are not so many rounds")
    p.round, p.open_cohorts = event.round, p.cohorts
    book.set_window(time + terms.submit_window)
    book.require(
        (event.submit_deadline, event.result_deadline) == (p.submit_deadline, p.result_deadline),
        Theme.TIMELINE,
        event,
        "its deadlines are not those of the terms",
    )


def submitted(book: Book, event: e.UpdateSubmitted, time: int) -> None:
    cohort = book.in_cohort(event, event.round, event.cohort)
    if cohort is None:
        return
    in_range = 0 <= event.slot < book.terms.slots
    fresh = cohort.submission_of(event.slot) is None
    problems = [
        (time < book.standing.submit_deadline, "the window was closed"),
        (
            in_range and book.seat(cohort)[event.slot] == event.trainer,
            f"seat {event.slot} is not the sender's",
        ),
        (fresh, f"slot {event.slot} had submitted"),
        (any(event.digest), "a digest of 0 names nothing"),
    ]
    for holds, message in problems:
        book.require(holds, Theme.ARRIVALS, event, f"{event.trainer}: {message}", cohort.index)
    if in_range and fresh:
        cohort.arrived.append(event)
    if book.current is not None:
        book.close_if_complete(book.current, time)


def reference_submitted(book: Book, event: e.ReferenceSubmitted, time: int) -> None:
    current = book.in_round(event, event.round)
    if current is None:
        return
    p = book.standing
    problems = [
        (time < p.submit_deadline, "the window was closed"),
        (book.terms.score_rule is ScoreRule.REFERENCE, "the project has no reference"),
        (not p.revealed, "the validation set was revealed before"),
        (current.reference is None, "there is one already"),
        (any(event.digest), "a digest of 0 names nothing"),
    ]
    for holds, message in problems:
        book.require(holds, Theme.TIMELINE, event, message)
    current.reference = event
    p.reference_round, p.reference_digest = event.round, event.digest
    book.close_if_complete(current, time)


def batch_posted(book: Book, event: e.BatchPosted, time: int) -> None:
    cohort = book.in_cohort(event, event.round, event.cohort)
    if cohort is None:
        return
    p, terms = book.standing, book.terms
    book.require_turn(event, time)
    problems = [
        (terms.batch_window > 0, "the project takes no batches"),
        (time < p.submit_deadline - terms.submit_window + terms.batch_window, "the batch window was closed"),
        (event.slots != 0 and not event.slots >> terms.slots, f"its slots {event.slots:#x} are out of range"),
        (cohort.batch is None, "there was a batch already"),
        (event.aggregator_index == p.aggregator_index, "it was another aggregator's turn"),
    ]
    for holds, message in problems:
        book.require(holds, Theme.ARRIVALS, event, message, cohort.index)
    if cohort.batch is None:
        cohort.arrived.append(event)


def resealed(book: Book, event: e.KeyResealed, time: int) -> None:
    current = book.in_round(event, event.round)
    if current is None:
        return
    p = book.standing
    problems = [
        (time >= p.submit_deadline, "the window was still open"),
        (event.sender in book.members.numbers or event.sender == p.owner, f"{event.sender} has no update"),
        (event.aggregator_index == p.aggregator_index, "the key was sealed to another aggregator"),
        (len(event.sealed_key) == SEALED_KEY_BYTES, f"the key has {len(event.sealed_key)} bytes"),
    ]
    for holds, message in problems:
        book.require(holds, Theme.TIMELINE, event, message)
    current.reseals.append(event)


def skipped(book: Book, event: e.RoundSkipped, time: int) -> None:
    cohort = book.in_cohort(event, event.round, event.cohort)
    if cohort is None:
        return
    p = book.standing
    book.require_unchallenged(event)
    closed = time >= p.submit_deadline
    book.require(closed, Theme.TIMELINE, event, "the window was still open")
    book.require_answered(event, time, cohort)
    if cohort.updates >= book.quorum:
        sure = (cohort.submitted & ~cohort.complained).bit_count()
        stand_in = cohort.batch is not None and cohort.batch.aggregator_index != p.aggregator_index
        lost = sure < book.quorum and stand_in
        book.require(
            lost, Theme.TIMELINE, event, f"{cohort.updates} updates are a quorum: no skip is allowed"
        )
        book.require_turn(event, time)
    cohort.skipped = event
    cohort.trainers = book.seat(cohort)
    settle_silence(book, event, cohort)
    if book.pending:
        book.wrong(Theme.PAYMENTS, f"{type(book.pending[0]).__name__} belongs to no result", cohort.index)
        book.pending = []
    conclude(book, event, cohort)


def conclude(book: Book, event: e.Event, cohort: CohortReplay) -> None:
    """Ends a cohort's round; with the last one the round closes."""
    p = book.standing
    p.open_cohorts -= 1
    if p.open_cohorts == 0:
        if p.outcome_round != p.round:
            book.links = []  # an earlier round is final
        p.escrow += p.pot
        p.pot = 0
        book.due = ((e.RoundClosed,), event.transaction_hash)


def closed(book: Book, event: e.RoundClosed, time: int) -> None:
    p, current = book.standing, book.current
    halted = book.lost
    if current is None or (current.closed is not None and not halted):
        book.wrong(Theme.TIMELINE, "RoundClosed comes where no round was under way")
        return
    over = current.number == event.round and (halted or p.open_cohorts == 0)
    book.require(over, Theme.TIMELINE, event, f"round {event.round} was not over")
    last = p.round == p.last_round or book.members.trainer_count < book.quorum
    if halted or p.outcome_round == p.round or (last and book.terms.score_rule is ScoreRule.REFERENCE):
        p.challenge_deadline = time + book.terms.challenge_window
    fits = event.challenge_deadline == p.challenge_deadline
    book.require(fits, Theme.TIMELINE, event, "its challenge deadline is not that of the terms")
    current.closed = event
    if halted or last:
        p.status = Status.CLOSING
    else:
        book.due = ((e.RoundOpened,), event.transaction_hash)
    if not halted:
        current.outcome = Outcome.SETTLED if current.results else Outcome.SKIPPED


def timed_out(book: Book, event: e.AggregatorTimedOut, time: int) -> None:
    current = book.in_round(event, event.round)
    if current is None:
        return
    p = book.standing
    book.require_unchallenged(event)
    late = any(not cohort.concluded and cohort.updates >= book.quorum for cohort in current.cohorts)
    due = time >= p.result_deadline and late and book.aggregator() == event.aggregator
    book.require(due, Theme.TIMELINE, event, f"no time-out of {event.aggregator} was due")
    book.slash(event, event.aggregator, event.slashed, book.members.locked.get(event.aggregator, 0))
    p.aggregator_index += 1
    halted = book.lost
    if halted:
        p.result_deadline = 0
    else:
        p.turn_start = time
        p.result_deadline = time + book.terms.result_window
    fits = event.result_deadline == p.result_deadline
    book.require(fits, Theme.TIMELINE, event, "its new deadline is not that of the terms")
    p.pot += event.slashed
    current.timeouts.append(event)
    book.records.append(Recorded(event.transaction_hash, e.FaultRecorded, event.aggregator, 1))
    if halted:
        current.outcome = Outcome.HALTED
        for cohort in current.cohorts:
            cohort.trainers = cohort.trainers or book.seat(cohort)
        if p.outcome_round != p.round:
            book.links = []  # an earlier round is final
        end = e.RoundClosed if p.outcome_round == p.round or book.owes_reveal else e.ProjectEnded
        book.due = ((end,), event.transaction_hash)
