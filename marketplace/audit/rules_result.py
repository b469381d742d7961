"""How a cohort's result must be: what G gives, against what its transaction claimed, gave and took."""

from __future__ import annotations

from typing import Any

from marketplace.audit.book import Book, Recorded, name_of
from marketplace.audit.claims import wrong_claim
from marketplace.audit.received import read_arrivals
from marketplace.audit.rounds import CohortReplay, Theme
from marketplace.audit.rules_complaint import settle_silence
from marketplace.audit.rules_round import conclude
from marketplace.audit.rules_sketch import hold_left_out, hold_root, roots_of, statement_of
from marketplace.audit.rules_stated import link
from marketplace.audit.settlement import commitments_in, settle
from marketplace.chain import events as e
from marketplace.chain.types import Settlement
from marketplace.errors import FairshareError
from marketplace.node.project import rules_of
from marketplace.protocol.digests import update_digest
from marketplace.protocol.krum import FarPair, mask
from zk.curve import INFINITY, Point, x_bytes


def struck(book: Book, event: e.TrainerStruck, time: int) -> None:
    """Settled with the result that follows in the same transaction."""
    book.pending.append(event)


def posted(book: Book, event: e.ResultPosted, time: int) -> None:
    cohort = book.in_cohort(event, event.round, event.cohort)
    if cohort is None:
        return
    p, terms = book.standing, book.terms
    book.require_unchallenged(event)
    closed = time >= p.submit_deadline
    book.require(closed, Theme.TIMELINE, event, "the window was still open")
    book.require_turn(event, time, event.aggregator)
    book.require_answered(event, time, cohort)
    count = event.present.bit_count()
    book.require(count >= book.quorum, Theme.TIMELINE, event, f"{count} updates are no quorum")
    cohort.posted, cohort.before = event, p.model
    cohort.trainers = book.seat(cohort)
    settle_silence(book, event, cohort)
    cohort.strikes = [other for other in book.pending if isinstance(other, e.TrainerStruck)]
    book.pending = []
    before = (p.escrow, p.pot)
    book.require(
        (event.escrow, event.pot) == before,
        Theme.MONEY,
        event,
        f"escrow and pot before it are {event.escrow} and {event.pot}, not {before[0]} and {before[1]}",
        cohort.index,
    )
    due = _settle(book, cohort, event)
    fee = terms.aggregator_fee if event.merged and not cohort.left_out else 0
    book.require(event.fee == fee, Theme.PAYMENTS, event, f"the fee is {event.fee}, not {fee}", cohort.index)
    _take(book, cohort, due)
    _give(book, cohort, event)
    book.move_model(event)
    cohort.model = p.model
    if book.is_sketched:
        book.due = ((e.SketchResultPosted,), event.transaction_hash)  # which concludes it
    elif book.terms.settlement is Settlement.ON_DEMAND:
        book.due = ((e.ResultStated,), event.transaction_hash)  # likewise
    else:
        link(book, cohort, event, bytes(32))
        conclude(book, event, cohort)


def _settle(book: Book, cohort: CohortReplay, event: e.ResultPosted) -> dict[str, int] | None:
    """Derives what the result had to bring about, and holds its events against that; the losses by trainer."""
    place = (event.transaction_hash, event.round, event.cohort)
    read = book.history.results.get(place, "its transaction was not read")
    sketch = book.history.sketch.result(place) if book.is_sketched else None
    if isinstance(read, str) or isinstance(sketch, str):
        cohort.unread = read if isinstance(read, str) else str(sketch)
        return None
    cohort.result = read
    if sketch is not None:
        drawn = book.standing.seed_round == event.round
        book.require(drawn, Theme.SEED, event, "the round's seed was not drawn before it")
        by_it = sketch.seed == book.standing.sketch_seed
        book.require(by_it, Theme.SEED, event, "its sketches are not drawn by the round's seed", cohort.index)
        hold_left_out(book, cohort, event, sketch)
    for name, said, found in (("merged", read.merged, event.merged), ("model", read.model, event.model)):
        message = f"{name} is not what its transaction said"
        book.require(said == found, Theme.JUDGEMENT, event, message, cohort.index)
    on_it = read.before == x_bytes(cohort.before)
    book.require(on_it, Theme.MODEL, event, "it was made on another model", cohort.index)
    known, wrong = read_arrivals(book, cohort, read.arrivals)
    book.require(not wrong, Theme.ARRIVALS, event, wrong, cohort.index)
    cohort.received = known
    absent = cohort.complained | cohort.left_out
    present = [slot for slot in known.slots if not absent >> slot & 1]
    book.require(
        event.present == mask(present),
        Theme.ARRIVALS,
        event,
        f"present is {event.present:#x}, but {mask(present):#x} arrived and was not withheld",
        cohort.index,
    )
    current, slots = book.current, book.terms.slots
    reference = current.reference if current is not None else None
    counts = reference is not None and not absent >> slots & 1
    digests = {slot: known.digests[slot] or b"" for slot in present}
    if reference is not None and counts:
        digests[slots] = reference.digest
    try:
        cohort.commitments = commitments_in(book.terms, read)
        if sketch is not None:
            cohort.sketches, cohort.commitments = cohort.commitments, roots_of(book, sketch)
        _hold_commitments(book, cohort, event, digests)
        cohort.settlement = settled = settle(
            book.terms,
            read,
            cohorts=book.standing.cohorts,
            present=present,
            positions=known.positions,
            reference=counts,
            stakes=_stakes(book, cohort),
            carried=book.standing.pot,
            arrived=sum(strike.slashed for strike in cohort.strikes),
            model=book.zero if book.is_sketched else book.standing.model,
            zero=book.zero,
        )
    except FarPair as error:
        message = f"{name_of(event)}: the contract took a result that it has to refuse: {error}"
        book.wrong(Theme.JUDGEMENT, message, cohort.index)
        return None
    except (FairshareError, ValueError) as error:
        book.wrong(Theme.JUDGEMENT, f"{name_of(event)}: its numbers cannot be judged: {error}", cohort.index)
        return None
    judged = settled.judgement
    wrong = wrong_claim(rules_of(book.terms), settled.gram, judged, read)
    book.require(not wrong, Theme.JUDGEMENT, event, wrong, cohort.index)
    for name, bits, chosen in (
        ("merged", event.merged, judged.merged),
        ("struck", event.struck, judged.struck),
    ):
        message = f"{name} is {bits:#x}, but G gives {mask(chosen):#x}"
        book.require(bits == mask(chosen), Theme.JUDGEMENT, event, message, cohort.index)
    _hold_amounts(book, cohort, event)
    if sketch is not None:
        hold_root(book, cohort, event, sketch)
        cohort.statement = statement_of(book, cohort, read, sketch, mask(digests))
    else:
        moved = Point(event.x, event.y) == settled.moved
        message = "the model's commitment is not the old one moved by the merged updates"
        book.require(moved, Theme.MODEL, event, message, cohort.index)
    return {cohort.trainers[slot] or "": loss for slot, loss in settled.losses.items()}


def _hold_commitments(
    book: Book, cohort: CohortReplay, event: e.ResultPosted, digests: dict[int, bytes]
) -> None:
    """Every update that counts opens what was submitted; the others hold C_0, and on the sketch path no root."""
    holders = (*cohort.trainers, book.standing.owner)
    inputs, zeros = len(cohort.commitments), cohort.sketches or cohort.commitments
    fits = inputs == book.inputs
    message = f"{inputs} roots are named for {book.inputs} inputs"
    book.require(fits, Theme.COMMITMENTS, event, message, cohort.index)
    for slot, (point, proved) in enumerate(zip(cohort.commitments, zeros, strict=False)):
        holder = holders[slot]
        if slot in digests:
            opens = holder is not None and update_digest(point.x, point.y, holder) == digests[slot]
            message = f"slot {slot} is opened to another commitment than the one submitted"
        else:
            opens = proved == book.zero and (not cohort.sketches or point == INFINITY)
            message = f"slot {slot} is absent, but does not hold C_0"
        book.require(opens, Theme.COMMITMENTS, event, message, cohort.index)


def _stakes(book: Book, cohort: CohortReplay) -> dict[int, int]:
    """What is left of each trainer's stake, by slot."""
    locked = book.members.locked
    return {slot: locked.get(trainer, 0) for slot, trainer in enumerate(cohort.trainers) if trainer}


def _hold_amounts(book: Book, cohort: CohortReplay, event: e.ResultPosted) -> None:
    settled = cohort.settlement
    if settled is None:
        return
    found: list[tuple[Any, ...]] = [
        (strike.transaction_hash, strike.trainer, strike.round) for strike in cohort.strikes
    ]
    due = [(event.transaction_hash, cohort.trainers[slot], event.round) for slot in sorted(settled.losses)]
    message = f"{len(found)} strikes are not just the {len(due)} that G gives"
    book.require(found == due, Theme.PAYMENTS, event, message, cohort.index)
    for slot in range(max(len(event.amounts), len(settled.amounts))):
        paid = event.amounts[slot] if slot < len(event.amounts) else None
        amount = settled.amounts[slot] if slot < len(settled.amounts) else None
        if paid != amount:
            trainer = cohort.trainers[slot] if slot < len(cohort.trainers) else None
            message = f"slot {slot} ({trainer}) is paid {paid}, but G gives {amount}"
            book.require(False, Theme.PAYMENTS, event, message, cohort.index)
            return


def _take(book: Book, cohort: CohortReplay, due: dict[str, int] | None) -> None:
    for strike in cohort.strikes:
        loss = strike.slashed if due is None else due.get(strike.trainer, strike.slashed)
        book.slash(strike, strike.trainer, strike.slashed, loss)
        book.records.append(Recorded(strike.transaction_hash, e.FaultRecorded, strike.trainer, 0))


def _give(book: Book, cohort: CohortReplay, event: e.ResultPosted) -> None:
    """Credits what the event says, to whom it says."""
    p, members = book.standing, book.members
    for number, amount in zip(cohort.numbers, event.amounts, strict=False):
        if amount and number is not None and number < len(members.earned):
            members.earned[number] += amount
        elif amount:
            book.require(False, Theme.PAYMENTS, event, "it pays an empty seat", cohort.index)
    if 0 <= p.aggregator_index < len(members.fees):
        members.fees[p.aggregator_index] += event.fee
    slashed = sum(strike.slashed for strike in cohort.strikes)
    p.escrow += p.pot + slashed - sum(event.amounts) - event.fee
    p.pot = 0
