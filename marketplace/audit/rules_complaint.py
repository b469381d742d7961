"""How complaints about updates must be, their answers, and what silence costs."""

from __future__ import annotations

from marketplace.audit.book import Book, Recorded
from marketplace.audit.received import read_arrivals
from marketplace.audit.rounds import CohortReplay, Theme
from marketplace.chain import events as e
from marketplace.chain.types import Address
from marketplace.protocol.digests import update_digest
from zk.curve import Point, is_on_curve


def complained(book: Book, event: e.UpdatesComplained, time: int) -> None:
    cohort = book.in_cohort(event, event.round, event.cohort)
    if cohort is None:
        return
    p, terms = book.standing, book.terms
    book.require_unchallenged(event)
    book.require_turn(event, time)
    in_window = p.submit_deadline <= time < p.turn_start + terms.answer_window
    known = cohort.complained | cohort.answered
    digests, unread = _digests(book, event, cohort)
    open_ = sum(1 << slot for slot in digests)
    problems = [
        (in_window, "it came outside its window"),
        (event.slots != 0 and not event.slots & known, f"{event.slots:#x} were complained about already"),
        (bool(unread) or not event.slots & ~open_, f"{event.slots:#x} had not all submitted"),
    ]
    p.answer_deadline = time + terms.answer_window
    p.result_deadline = p.answer_deadline + terms.result_window
    problems.append((event.deadline == p.answer_deadline, "its deadline is not that of the terms"))
    for holds, message in problems:
        book.require(holds, Theme.COMPLAINTS, event, message, cohort.index)
    cohort.complaints.append(event)
    cohort.complained |= event.slots & ((1 << book.inputs) - 1)
    cohort.disputed |= {slot: digest for slot, digest in digests.items() if event.slots >> slot & 1}
    _secure(book, event)
    if book.is_sketched:
        book.due = ((e.ChunksComplained,), event.transaction_hash)


def _secure(book: Book, event: e.UpdatesComplained) -> None:
    """The aggregator has deposits for all open complaints locked, and half of its bond beside them."""
    aggregator, current = book.aggregator(), book.current
    if aggregator is None or current is None:
        return
    open_ = sum(cohort.complained.bit_count() for cohort in current.cohorts)
    needed = book.terms.complaint_deposit * open_ + book.terms.aggregator_bond // 2
    missing = needed - book.members.locked.get(aggregator, 0)
    if missing > 0:
        book.members.locked[aggregator] = needed
        book.moves(e.Locked, aggregator, missing, event)


def _digests(book: Book, event: e.UpdatesComplained, cohort: CohortReplay) -> tuple[dict[int, bytes], str]:
    """What complaints can be about, by slot, and why that cannot all be told."""
    digests = {submission.slot: submission.digest for submission in cohort.submissions}
    unread = ""
    if cohort.batch is not None:
        said = book.history.complaints.get(
            (event.transaction_hash, event.round, event.cohort), "its transaction was not read"
        )
        if isinstance(said, str):
            unread = said
        else:
            received, wrong = read_arrivals(book, cohort, said)
            book.require(not wrong, Theme.COMPLAINTS, event, wrong, cohort.index)
            digests |= {slot: found for slot, found in enumerate(received.digests) if found is not None}
    current = book.current
    if current is not None and current.reference is not None:
        digests[book.terms.slots] = current.reference.digest
    return digests, unread


def answered(book: Book, event: e.UpdateAnswered, time: int) -> None:
    cohort = book.in_cohort(event, event.round, event.cohort)
    if cohort is None:
        return
    point, holder = Point(event.x, event.y), holder_of(book, cohort, event.slot)
    digest = cohort.disputed.get(event.slot)
    opens = holder is not None and is_on_curve(point) and update_digest(event.x, event.y, holder) == digest
    book.require(
        not book.is_sketched, Theme.COMPLAINTS, event, "an answer shows one chunk here", cohort.index
    )
    if end_complaint(book, event, time, cohort, opens=opens or digest is None):
        cohort.answers.append(event)


def end_complaint(
    book: Book,
    event: e.UpdateAnswered | e.UpdateChunkAnswered,
    time: int,
    cohort: CohortReplay,
    *,
    opens: bool,
) -> bool:
    """Ends a complaint by its answer, which `opens` the digest or does not; False where there was no complaint."""
    open_ = event.slot < book.inputs and bool(cohort.complained >> event.slot & 1)
    problems = [
        (time < book.standing.answer_deadline, "it came too late"),
        (open_, f"there was no complaint about slot {event.slot}"),
        (opens or not open_, "it is another commitment than the one submitted"),
    ]
    for holds, message in problems:
        book.require(holds, Theme.COMPLAINTS, event, message, cohort.index)
    if not open_:
        return False
    cohort.complained &= ~(1 << event.slot)
    cohort.answered |= 1 << event.slot
    aggregator, holder = book.aggregator(), holder_of(book, cohort, event.slot)
    if aggregator is not None and holder is not None:
        _pay(book, event, aggregator, holder)
    return True


def withheld(book: Book, event: e.UpdateWithheld, time: int) -> None:
    """Settled with the result or skip that follows in the same transaction."""
    book.pending.append(event)


def settle_silence(book: Book, event: e.ResultPosted | e.RoundSkipped, cohort: CohortReplay) -> None:
    """Each slot complained about and not answered pays the current aggregator: holds the events against that."""
    found = [other for other in book.pending if isinstance(other, e.UpdateWithheld)]
    book.pending = [other for other in book.pending if not isinstance(other, e.UpdateWithheld)]
    aggregator = book.aggregator()
    due = [slot for slot in range(book.terms.slots) if cohort.complained >> slot & 1]
    fits = [
        (other.transaction_hash, other.round, other.cohort, other.slot, other.trainer)
        == (event.transaction_hash, event.round, cohort.index, slot, holder_of(book, cohort, slot))
        for other, slot in zip(found, due, strict=False)
    ]
    book.require(
        len(found) == len(due) and all(fits),
        Theme.COMPLAINTS,
        event,
        f"slots {due} withheld their updates, but not just these pay for it",
        cohort.index,
    )
    for other in found:
        cohort.withheld.append(other)
        book.records.append(Recorded(other.transaction_hash, e.FaultRecorded, other.trainer, 0))
        paid = min(book.terms.complaint_deposit, book.members.locked.get(other.trainer, 0))
        message = f"{other.trainer} paid {other.paid}, not {paid}"
        book.require(other.paid == paid, Theme.COMPLAINTS, other, message, cohort.index)
        if aggregator is not None:
            _pay(book, other, other.trainer, aggregator)


def _pay(book: Book, event: e.Event, payer: Address, to: Address) -> None:
    paid = min(book.terms.complaint_deposit, book.members.locked.get(payer, 0))
    book.members.take(payer, paid)
    book.moves(e.Transferred, payer, paid, event, to=to)


def holder_of(book: Book, cohort: CohortReplay, slot: int) -> Address | None:
    """Whose update a slot's is: its trainer's, or the owner's."""
    if slot == book.terms.slots:
        return book.standing.owner
    return book.members.holder(cohort.numbers[slot]) if 0 <= slot < len(cohort.numbers) else None
