from __future__ import annotations

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from marketplace.chain.events import BatchPosted, UpdateSubmitted
from marketplace.chain.types import Address
from marketplace.errors import FairshareError, Reason
from marketplace.node.arrivals import Received, positions, rebuild, received
from marketplace.updates.batch import Batch, BatchEntry

SLOTS = 6
TRAINER = Address("0x" + "ab" * 20)
digests = st.binary(min_size=32, max_size=32)


def submitted(slot: int, digest: bytes) -> UpdateSubmitted:
    return UpdateSubmitted(1, b"", 0, 7, 1, TRAINER, 0, slot, digest, bytes(32))


def posted(batch: Batch) -> BatchPosted:
    return BatchPosted(1, b"", 0, 7, 1, 0, 0, batch.slots, batch.root, bytes(32))


def batch_of(*slots: int) -> Batch:
    return Batch(tuple(BatchEntry(slot, keccak(b"b%d" % slot), bytes(32), b"s%d" % slot) for slot in slots))


def anyone(slot: int, digest: bytes, signature: bytes) -> bool:
    return True


def test_the_hash_is_the_contracts() -> None:
    batch = batch_of(1)
    rebuilt, chain = rebuild([submitted(3, b"d" * 32), posted(batch)], batch)
    first = keccak(bytes(32) + b"\x03" + b"d" * 32)
    assert chain == keccak(first + b"\xff" + batch.root)
    assert (rebuilt.order, rebuilt.digests) == (b"\x03\xff", (b"d" * 32,))
    assert (rebuilt.batch, rebuilt.signatures) == (batch.digests, batch.signatures)
    assert rebuild([], None)[1] == bytes(32)


@given(st.lists(st.tuples(st.integers(0, SLOTS - 1), digests), unique_by=lambda entry: entry[0]))
def test_transactions_stand_in_their_order(entries: list[tuple[int, bytes]]) -> None:
    known, _ = rebuild([submitted(slot, digest) for slot, digest in entries], None)
    found = received(known, SLOTS, 0, anyone)
    assert found.slots == tuple(sorted(slot for slot, _ in entries))
    for place, (slot, digest) in enumerate(entries):
        assert (found.positions[slot], found.digests[slot]) == (place + 1, digest)


def test_a_batch_takes_consecutive_places_and_yields_to_transactions() -> None:
    batch = batch_of(0, 2, 4, 5)
    events = [submitted(3, b"3" * 32), posted(batch), submitted(1, b"1" * 32), submitted(4, b"4" * 32)]
    known, _ = rebuild(events, batch)

    def signed(slot: int, digest: bytes, signature: bytes) -> bool:
        assert (digest, signature) == (keccak(b"b%d" % slot), b"s%d" % slot)
        return slot != 2

    assert received(known, SLOTS, batch.slots, signed) == Received(
        (keccak(b"b0"), b"1" * 32, None, b"3" * 32, b"4" * 32, keccak(b"b5")), (2, 4, 0, 1, 5, 3)
    )
    assert positions(known, SLOTS, batch.slots, signed) == (2, 4, 0, 1, 5, 3)


def test_a_stand_in_leaves_out_the_batch_that_it_does_not_have() -> None:
    batch = batch_of(0, 2)
    events = [posted(batch), submitted(3, b"3" * 32)]
    known, chain = rebuild(events, None)
    assert chain == rebuild(events, batch)[1]
    assert positions(known, SLOTS, batch.slots, anyone) == (0, 0, 0, 1, 0, 0)


def test_another_list_than_the_posted_one_is_refused() -> None:
    with pytest.raises(FairshareError) as refusal:
        rebuild([posted(batch_of(0, 2))], batch_of(0, 3))
    assert refusal.value.reason is Reason.INTEGRITY
