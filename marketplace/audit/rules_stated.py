"""How what a result states must be, and what the contract keeps of the result, so that it can be undone."""

from __future__ import annotations

from eth_abi.exceptions import EncodingError

from marketplace.audit.book import Book, name_of
from marketplace.audit.rounds import CohortReplay, Theme
from marketplace.audit.rules_round import conclude
from marketplace.chain import events as e
from marketplace.chain.types import SketchStatement
from marketplace.errors import FairshareError
from marketplace.node.outcomes import outcome_of, statement
from zk.curve import SIZE

_OTHER = "the statement is not that of the result"


def result_stated(book: Book, event: e.ResultStated, time: int) -> None:
    """On demand, off the sketch path: what a proof would have to show. Ends the result just posted."""
    cohort = _posted(book, event)
    if cohort is None or cohort.posted is None:
        return
    cohort.stated = event
    if cohort.result is not None:
        proof = cohort.result.proof
        due = statement(proof[: len(proof) - len(proof) % SIZE], cohort.result.gram)
        book.require(event.statement == due, Theme.COMMITMENTS, event, _OTHER, cohort.index)
    link(book, cohort, cohort.posted, event.statement)
    conclude(book, cohort.posted, cohort)


def sketch_stated(book: Book, event: e.SketchResultPosted, time: int) -> None:
    """Whom the result just posted left out, and all that it states. Ends it."""
    cohort = _posted(book, event)
    if cohort is None or cohort.posted is None:
        return
    cohort.stated = event
    due, settled, given = cohort.statement, cohort.settlement, event.statement
    if due is not None and settled is not None:
        problems = [
            (event.left_out == cohort.left_out, Theme.ARRIVALS, "whom it left out is not what it said"),
            (given.sum == settled.moved, Theme.COMMITMENTS, "the sum is not the merged sketches'"),
            (given == due, Theme.COMMITMENTS, _OTHER),
        ]
        for holds, theme, message in problems:
            book.require(holds, theme, event, message, cohort.index)
    else:
        cohort.statement = given  # its call was not read: questions are about this all the same
    link(book, cohort, cohort.posted, _digest(given))
    conclude(book, cohort.posted, cohort)


def link(book: Book, cohort: CohortReplay, event: e.ResultPosted, stated: bytes) -> None:
    """What the contract keeps of the result, so that it can be undone. `stated`: `Outcome.statement`."""
    p = book.standing
    if p.outcome_round != p.round:
        book.links = []
    p.outcome_round, p.outcome_index = p.round, p.aggregator_index
    if book.links is None:
        return
    slashed = sum(strike.slashed for strike in cohort.strikes)
    try:
        kept = outcome_of(event, p.aggregator_index, slashed, cohort.before, stated, cohort.numbers)
        book.links.append(kept)
        book.outcome_chain()
    except (FairshareError, EncodingError, ValueError, IndexError):
        book.links = None
        book.wrong(Theme.PAYMENTS, f"{name_of(event)}: what it gives cannot be undone", cohort.index)


def _posted(book: Book, event: e.ResultStated | e.SketchResultPosted) -> CohortReplay | None:
    """The cohort whose result, just posted, states this."""
    current = book.in_round(event, event.round)
    cohort = current.cohorts[event.cohort] if current and event.cohort < len(current.cohorts) else None
    posted = cohort.posted if cohort is not None else None
    follows = posted is not None and posted.transaction_hash == event.transaction_hash
    fresh = follows and cohort is not None and cohort.stated is None
    book.require(fresh, Theme.TIMELINE, event, "it follows no result")
    return cohort if fresh else None


def _digest(given: SketchStatement) -> bytes:
    """Its hash; nothing, which no outcome can hold, where it does not fit its types."""
    try:
        return given.digest()
    except EncodingError:
        return b""
