"""What a cohort's round received, rebuilt from events: the preimage of its hash on chain (`Cohort.chain`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from marketplace.chain.client import MarketClient
from marketplace.chain.events import BatchPosted, Event, UpdateSubmitted, fetch
from marketplace.chain.types import Arrivals
from marketplace.errors import FairshareError, Reason
from marketplace.node.lagging import lagging
from marketplace.protocol.digests import BATCH, EMPTY_CHAIN, chain_batch, chain_transaction
from marketplace.protocol.krum import mask, members
from marketplace.updates.batch import Batch


@dataclass(frozen=True)
class Received:
    """What the arrivals say, by slot."""

    digests: tuple[bytes | None, ...]  # None: nothing valid
    positions: tuple[int, ...]  # in the order of arrival, from 1; 0: nothing valid

    @property
    def slots(self) -> tuple[int, ...]:
        """Those with a valid submission, ascending."""
        return tuple(slot for slot, digest in enumerate(self.digests) if digest is not None)


def arrivals(
    client: MarketClient,
    project: int,
    round: int,
    cohort: int,
    slots: int,
    *,
    batch: Batch | None = None,
    block: int | None = None,
) -> Arrivals:
    """The arrivals of a cohort (`slots`: K) of the round under way at `block` (None: the newest).

    `batch`: the published list where one was posted; without it the arrivals are a stand-in's, the batch left out.
    Raises INTEGRITY where the list is not the posted one, UNAVAILABLE (`lagging`) where the events are not those of the
    chain's hash.
    """
    at = client.latest_block().number if block is None else block
    found: list[Event] = fetch(client, [UpdateSubmitted, BatchPosted], project, round, to_block=at)
    events = [
        event
        for event in found
        if isinstance(event, UpdateSubmitted | BatchPosted) and event.cohort == cohort
    ]
    rebuilt, chain = rebuild(events, batch)
    held = client.cohort(project, cohort, block=at)
    if (held.chain if held.round == round else EMPTY_CHAIN) != chain:
        raise lagging(
            client,
            f"the submissions that the endpoint serves for round {round} are not those that the chain holds",
        )
    return rebuilt


def rebuild(events: Iterable[UpdateSubmitted | BatchPosted], batch: Batch | None) -> tuple[Arrivals, bytes]:
    """The arrivals of one cohort's events, in the chain's order, and their hash."""
    chain, order, digests, posted = EMPTY_CHAIN, bytearray(), [], False
    for event in events:
        if isinstance(event, BatchPosted):
            if batch is not None and (batch.root, batch.slots) != (event.root, event.slots):
                raise FairshareError(
                    Reason.INTEGRITY, "the list of the batch is not the one posted", "fetch it by its CID"
                )
            posted = True
            order.append(BATCH)
            chain = chain_batch(chain, event.root)
        else:
            order.append(event.slot)
            digests.append(event.digest)
            chain = chain_transaction(chain, event.slot, event.digest)
    opened = batch if posted else None
    return (
        Arrivals(
            order=bytes(order),
            digests=tuple(digests),
            batch=opened.digests if opened else (),
            signatures=opened.signatures if opened else (),
        ),
        chain,
    )


def received(
    known: Arrivals, slots: int, batched: int, is_signed: Callable[[int, bytes, bytes], bool]
) -> Received:
    """What arrivals say, as the contract reads them.

    `batched`: mask of the batch's slots; `is_signed`(slot, digest, signature): whether the slot's trainer signed it.
    A transaction wins over the batch's entry of the same slot, whenever it came.
    """
    by_transaction = mask({slot for slot in known.order if slot != BATCH})
    digests: list[bytes | None] = [None] * slots
    positions = [0] * slots
    transactions, position = iter(known.digests), 0
    for mark in known.order:
        entries = [(mark, b"", b"")]
        if mark == BATCH:
            found = zip(members(batched), known.batch, known.signatures, strict=False)
            entries = [entry for entry in found if not by_transaction >> entry[0] & 1 and is_signed(*entry)]
        for slot, digest, _ in entries:
            position += 1
            positions[slot] = position
            digests[slot] = digest if mark == BATCH else next(transactions)
    return Received(tuple(digests), tuple(positions))


def positions(
    known: Arrivals, slots: int, batched: int, is_signed: Callable[[int, bytes, bytes], bool]
) -> tuple[int, ...]:
    """By slot, the order of arrival from 1; 0 where nothing valid arrived. See `received`."""
    return received(known, slots, batched, is_signed).positions
