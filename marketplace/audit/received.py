"""What arrivals that were handed to the market said, held against what it had announced."""

from __future__ import annotations

from collections.abc import Callable

from marketplace.audit.book import Book
from marketplace.audit.rounds import CohortReplay
from marketplace.chain.submission import submission_hash
from marketplace.chain.types import Arrivals
from marketplace.node.arrivals import Received, rebuild, received
from marketplace.node.signatures import signer_of
from marketplace.protocol.digests import batch_root


def read_arrivals(book: Book, cohort: CohortReplay, said: Arrivals) -> tuple[Received, str]:
    """What arrived in a cohort's round, as the market reads it from `said`; and what is wrong with that, or "".

    The batch counts with the entries that their slots' trainers signed; an aggregator that did not post it may leave
    it out.
    """
    announced, _ = rebuild(cohort.arrived, None)
    known, wrong, batch = announced, "", cohort.batch
    if (said.order, said.digests[: len(announced.digests)]) != (announced.order, announced.digests):
        wrong = "its arrivals are not those that were submitted"
    if batch is not None:
        left_out = not said.batch and batch.aggregator_index != book.standing.aggregator_index
        count = batch.slots.bit_count()
        fits = len(said.batch) == len(said.signatures) == count
        if not left_out and (not fits or batch_root(said.batch, said.signatures) != batch.root):
            wrong = wrong or "its batch is not the one under the root"
        elif not left_out:
            known = Arrivals(announced.order, announced.digests, said.batch, said.signatures)
    return received(known, book.terms.slots, cohort.batched, _signed_by(book, cohort)), wrong


def _signed_by(book: Book, cohort: CohortReplay) -> Callable[[int, bytes, bytes], bool]:
    history, seated, round_ = book.history, book.seat(cohort), book.standing.round

    def is_signed(slot: int, digest: bytes, signature: bytes) -> bool:
        hashed = submission_hash(history.chain_id, history.market, history.project, round_, digest)
        return seated[slot] is not None and signer_of(hashed, signature) == seated[slot]

    return is_signed
