"""How a project's events before and after its rounds must be: members, start, end, money out."""

from __future__ import annotations

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from marketplace.audit.book import Book, Recorded
from marketplace.audit.history import RECENT_BLOCKS
from marketplace.audit.rounds import Theme
from marketplace.chain import events as e
from marketplace.chain.types import Status
from marketplace.protocol.shares import contribution_units

MAX_CONTACT_BYTES = 256
ENDED = (Status.SETTLED, Status.CANCELLED, Status.HALTED)


def created(book: Book, event: e.ProjectCreated, time: int) -> None:
    terms, p = book.terms, book.standing
    book.require(p.status is Status.NONE, Theme.TIMELINE, event, "the project was there already")
    said = (event.owner, event.circuit, event.spec, event.token, event.reward)
    held = (book.history.state.owner, terms.circuit, terms.spec, terms.token, terms.reward)
    for name, found, kept in zip(("owner", "circuit", "spec", "token", "reward"), said, held, strict=True):
        book.require(found == kept, Theme.TIMELINE, event, f"{name} is not what the contract holds")
    p.status, p.owner = Status.OPEN, event.owner
    p.join_deadline = time + terms.join_window
    p.escrow = event.reward
    book.reveal_bond = terms.reveal_bond
    p.came = event.reward + terms.reveal_bond


def trainer_joined(book: Book, event: e.TrainerJoined, time: int) -> None:
    open_ = book.standing.status is Status.OPEN and time < book.standing.join_deadline
    book.require(open_, Theme.TIMELINE, event, "joining was over")
    wrong = book.members.join(event.number, event.trainer)
    book.require(not wrong, Theme.TIMELINE, event, f"{event.trainer} {wrong}")
    book.moves(e.Locked, event.trainer, book.terms.trainer_stake, event)


def aggregator_joined(book: Book, event: e.AggregatorJoined, time: int) -> None:
    p = book.standing
    open_ = p.status is Status.ACTIVE or (p.status is Status.OPEN and time < p.join_deadline)
    book.require(open_, Theme.TIMELINE, event, "joining was over")
    book.require(len(event.contact) <= MAX_CONTACT_BYTES, Theme.TIMELINE, event, "its contact is too long")
    wrong = book.members.join_aggregator(event.index, event.aggregator)
    book.require(not wrong, Theme.TIMELINE, event, f"{event.aggregator} {wrong}")
    book.moves(e.Locked, event.aggregator, book.terms.aggregator_bond, event)


def trainer_left(book: Book, event: e.TrainerLeft, time: int) -> None:
    status, current = book.standing.status, book.current
    alive = status in (Status.OPEN, Status.ACTIVE)
    book.require(alive, Theme.TIMELINE, event, "the project could not be left")
    for cohort in current.cohorts if current is not None and status is Status.ACTIVE else ():
        if event.number in cohort.numbers:
            taken = (cohort.submitted | cohort.batched) >> cohort.numbers.index(event.number) & 1
            book.require(not taken, Theme.TIMELINE, event, f"{event.trainer} had submitted in this round")
    freed, wrong = book.members.leave(event.number, event.trainer, active=status is not Status.OPEN)
    book.require(not wrong, Theme.TIMELINE, event, f"{event.trainer} {wrong}")
    book.moves(e.Unlocked, event.trainer, freed, event)
    if current is not None and time < book.standing.submit_deadline:
        book.close_if_complete(current, time)


def aggregator_left(book: Book, event: e.AggregatorLeft, time: int) -> None:
    p = book.standing
    waiting = p.status is Status.OPEN or (p.status is Status.ACTIVE and event.index > p.aggregator_index)
    book.require(waiting, Theme.TIMELINE, event, f"{event.aggregator} could not leave any more")
    freed, wrong = book.members.leave_aggregator(event.index, event.aggregator)
    book.require(not wrong, Theme.TIMELINE, event, f"{event.aggregator} {wrong}")
    book.moves(e.Unlocked, event.aggregator, freed, event)


def draw_scheduled(book: Book, event: e.DrawScheduled, time: int) -> None:
    p = book.standing
    if p.status is Status.OPEN:
        _ready(book, event, time)
        book.require(p.drawn, Theme.TIMELINE, event, "everybody has a seat: there is nothing to draw")
    else:
        seed_block = int.from_bytes(p.seed, "big")
        missed = p.status is Status.DRAWING and event.block_number > seed_block + RECENT_BLOCKS
        book.require(missed, Theme.TIMELINE, event, "no other draw was due")
    due = event.block_number + 1
    book.require(event.seed_block == due, Theme.TIMELINE, event, f"the seed is of block {due}")
    p.status, p.seed = Status.DRAWING, event.seed_block.to_bytes(32, "big")


def started(book: Book, event: e.ProjectStarted, time: int) -> None:
    p = book.standing
    if p.status is Status.DRAWING:
        seed_block = int.from_bytes(p.seed, "big")
        in_reach = seed_block < event.block_number <= seed_block + RECENT_BLOCKS
        book.require(in_reach, Theme.TIMELINE, event, f"block {seed_block}'s hash was not to be read")
        block_hash = book.history.hashes.get(seed_block, b"")
        seed = keccak(block_hash.rjust(32, b"\0")[:32] + encode(["uint256"], [event.project]))
        book.require(event.seed == seed, Theme.TIMELINE, event, f"the seed is not that of block {seed_block}")
        p.seed = event.seed
    else:
        _ready(book, event, time)
        book.require(not p.drawn, Theme.TIMELINE, event, "seats are to be drawn")
        book.require(not any(event.seed), Theme.TIMELINE, event, "nothing is drawn, but there is a seed")
    said = (event.trainers, event.cohorts)
    book.require(
        said == (p.drawn_from, p.cohorts),
        Theme.TIMELINE,
        event,
        f"{p.drawn_from} trainers in {p.cohorts} cohorts start, not {said[0]} in {said[1]}",
    )
    p.status = Status.ACTIVE
    book.due = ((e.RoundOpened,), event.transaction_hash)


def _ready(book: Book, event: e.Event, time: int) -> None:
    """Who starts, and in how many cohorts."""
    p, terms, trainers = book.standing, book.terms, book.members.trainer_count
    needed = terms.trainers if time < p.join_deadline else book.quorum
    ready = p.status is Status.OPEN and bool(book.members.aggregators) and trainers >= needed
    book.require(ready, Theme.TIMELINE, event, "the project could not start")
    p.cohorts = max(1, min(terms.cohorts, trainers // terms.slots))
    p.drawn_from = trainers
    p.drawn = p.cohorts > 1 or trainers > terms.slots


def ended(book: Book, event: e.ProjectEnded, time: int) -> None:
    p = book.standing
    lost = bool(book.rounds) and book.lost
    if p.status is Status.OPEN:
        expected = Status.CANCELLED
        p.credit(book.terms.reveal_bond)
        book.reveal_bond = 0
    elif p.status is Status.CLOSING:
        expected = Status.HALTED if lost else Status.SETTLED
        over = time >= p.challenge_deadline
        book.require(over, Theme.TIMELINE, event, "its last round could still be challenged")
        book.require_unchallenged(event)
    else:
        expected = Status.HALTED if lost else Status.NONE
    book.require(event.status is expected, Theme.TIMELINE, event, f"it could not end as {event.status.name}")
    closing = p.status is Status.CLOSING
    if closing and not p.revealed and (event.status is Status.SETTLED or p.reference_round):
        _forfeit(book)
    left = p.escrow + p.pot
    book.require(
        event.refund == left, Theme.MONEY, event, f"the refund is {event.refund}, but {left} was left"
    )
    p.escrow, p.pot = left - event.refund, 0
    p.credit(event.refund)
    p.status = event.status


def _forfeit(book: Book) -> None:
    p, trainers = book.standing, book.members.trainer_count
    bonus = 0 if trainers == 0 else book.terms.reveal_bond // trainers
    p.revealed, p.bonus = bonus == 0, bonus
    p.credit(book.terms.reveal_bond - bonus * trainers)
    book.reveal_bond = 0


def released(book: Book, event: e.Released, time: int) -> None:
    terms, members = book.terms, book.members
    book.require(book.standing.status in ENDED, Theme.TIMELINE, event, "the project was not over")
    held = members.locked.get(event.account, 0)
    book.require(
        event.amount == held != 0, Theme.MONEY, event, f"{event.account} got {event.amount}, not {held}"
    )
    members.locked[event.account] = 0
    book.moves(e.Unlocked, event.account, event.amount, event)
    earned = members.earnings(event.account)
    kind: type[e.Event]
    if event.account in members.numbers:
        kind, value = e.TrainerRecorded, contribution_units(earned, terms.rounds, terms.reward)
    else:
        kind, value = e.AggregatorRecorded, earned // terms.aggregator_fee if terms.aggregator_fee else 0
    if value:
        book.records.append(Recorded(event.transaction_hash, kind, event.account, value))


def claimed(book: Book, event: e.Claimed, time: int) -> None:
    p, members = book.standing, book.members
    book.require(not book.is_provisional(time), Theme.MONEY, event, "what was earned could still be undone")
    due = book.claimable(event.account)
    book.require(
        event.amount == due != 0, Theme.MONEY, event, f"{event.account} got {event.amount}, not {due}"
    )
    credit = p.owner_credit if event.account == p.owner else 0
    members.claimed[event.account] = members.claimed.get(event.account, 0) + event.amount - credit
    if event.account == p.owner:
        p.owner_credit = 0
    book.claimed += event.amount
