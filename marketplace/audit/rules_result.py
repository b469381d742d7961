"""How a round's result must be: what G gives, against what its transaction claimed, credited and took."""

from __future__ import annotations

from typing import Any

from marketplace.audit.book import Book, Recorded, name_of
from marketplace.audit.claims import wrong_claim
from marketplace.audit.rounds import Outcome, RoundReplay, Theme
from marketplace.audit.settlement import settle
from marketplace.chain import events as e
from marketplace.chain.types import RoundResult
from marketplace.errors import FairshareError
from marketplace.node.project import rules_of
from zk.curve import Point


def struck(book: Book, event: e.TrainerStruck, time: int) -> None:
    current = book.in_round(event, event.round)
    if current is not None:
        current.strikes.append(event)


def trainer_paid(book: Book, event: e.TrainerPaid, time: int) -> None:
    current = book.in_round(event, event.round)
    if current is not None:
        current.payments.append(event)


def posted(book: Book, event: e.ResultPosted, time: int) -> None:
    current = book.in_round(event, event.round)
    if current is None:
        return
    in_time = current.submit_deadline <= time < current.result_deadline
    book.require(in_time, Theme.TIMELINE, event, "it came outside its window")
    book.require_turn(event, event.aggregator)
    updates = book.count_without(event, current, event.omitted)
    book.require(updates >= book.quorum, Theme.TIMELINE, event, f"{updates} updates are no quorum")
    current.posted, current.outcome = event, Outcome.PROVED
    current.trainers = book.members.by_slot()
    fee = book.terms.aggregator_fee
    book.require(event.fee == fee, Theme.PAYMENTS, event, f"the fee is {event.fee}, not {fee}")
    _settle(book, current, event)
    slashed = sum(strike.slashed for strike in current.strikes)
    given = sum(payment.amount for payment in current.payments)
    for strike in current.strikes:
        book.members.take(strike.trainer, strike.slashed)
        book.moves(e.Slashed, strike.trainer, strike.slashed, strike)
    book.slashed += slashed
    book.paid += given
    book.fees += event.fee
    book.escrow += current.carried + slashed - given - event.fee
    book.model = current.model = Point(event.x, event.y)
    book.records.append(Recorded(event.transaction_hash, event.round, None, False))
    book.records.append(Recorded(event.transaction_hash, event.round, event.aggregator, False))
    book.advance(event, current)


def _settle(book: Book, current: RoundReplay, event: e.ResultPosted) -> None:
    """Derives what the result had to bring about, and holds its events against that."""
    read = book.history.results.get((event.transaction_hash, event.round), "its transaction was not read")
    if isinstance(read, str):
        current.unread = read
        return
    current.result = read
    _hold_claims(book, event, read)
    try:
        settled = settle(
            book.terms,
            read,
            current.submissions,
            book.members.stakes(),
            current.carried,
            book.model,
            book.zero,
        )
    except (FairshareError, ValueError) as error:
        book.wrong(Theme.JUDGEMENT, f"{name_of(event)}: its numbers cannot be judged: {error}")
        return
    current.settlement = settled
    judged = settled.judgement
    wrong = wrong_claim(rules_of(book.terms), settled.gram, judged, read)
    book.require(not wrong, Theme.JUDGEMENT, event, wrong)
    for name, mask, slots in (
        ("merged", event.merged, judged.merged),
        ("struck", event.struck, judged.struck),
    ):
        expected = sum(1 << slot for slot in slots)
        book.require(
            mask == expected, Theme.JUDGEMENT, event, f"{name} is {mask:#x}, but G gives {expected:#x}"
        )
    holder = current.trainers
    _same(
        book,
        event,
        "a strike",
        [(strike.transaction_hash, strike.trainer, strike.slashed) for strike in current.strikes],
        [(event.transaction_hash, holder[slot], settled.losses[slot]) for slot in sorted(settled.losses)],
    )
    _same(
        book,
        event,
        "a payment",
        [(p.transaction_hash, p.trainer, p.contribution, p.amount) for p in current.payments],
        [
            (event.transaction_hash, holder[slot], contribution, settled.amounts[slot])
            for slot, contribution in enumerate(judged.contributions)
            if contribution
        ],
    )
    book.require(
        Point(event.x, event.y) == settled.model,
        Theme.COMMITMENT,
        event,
        "the model's commitment is not the old one moved by the merged updates",
    )


def _hold_claims(book: Book, event: e.ResultPosted, result: RoundResult) -> None:
    for name, said, found in (
        ("omitted", result.omitted, event.omitted),
        ("merged", result.merged, event.merged),
        ("model", result.model, event.model),
    ):
        book.require(said == found, Theme.JUDGEMENT, event, f"{name} is not what its transaction said")


def _same(
    book: Book, event: e.Event, what: str, found: list[tuple[Any, ...]], due: list[tuple[Any, ...]]
) -> None:
    for place in range(max(len(found), len(due))):
        actual = found[place] if place < len(found) else None
        expected = due[place] if place < len(due) else None
        if actual != expected:
            book.wrong(
                Theme.PAYMENTS,
                f"{name_of(event)}: {what} is {_words(actual)}, but G gives {_words(expected)}",
            )
            return


def _words(values: tuple[Any, ...] | None) -> str:
    return "missing" if values is None else ", ".join(str(value) for value in values[1:])
