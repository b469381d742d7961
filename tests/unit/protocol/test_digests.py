"""What arrives is hashed as the contract hashes it: the vectors are those of the forge test."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from marketplace.protocol.digests import (
    EMPTY_CHAIN,
    batch_root,
    chain_batch,
    chain_transaction,
    update_digest,
)

FORGE = (Path(__file__).parents[2] / "contracts" / "forge" / "Arrival.t.sol").read_text(encoding="utf-8")
VECTORS = {
    name: bytes.fromhex(value)
    for name, value in re.findall(r"bytes32 private constant (\w+) = 0x(\w{64});", FORGE)
}
TRAINER = re.findall(r"TRAINER = (0x\w{40});", FORGE)[0]
LARGEST = int(re.findall(r"LARGEST = (\d+);", FORGE)[0])

words = st.binary(min_size=32, max_size=32)
slots = st.integers(min_value=0, max_value=15)


def test_the_contracts_vectors() -> None:
    digest, largest = update_digest(1, 2, TRAINER), update_digest(LARGEST, 3, TRAINER)
    chain = chain_transaction(EMPTY_CHAIN, 5, digest)
    root = batch_root([digest, largest], [bytes([1]) * 65, bytes([2]) * 65])
    assert {
        "DIGEST": digest,
        "DIGEST_OF_LARGEST": largest,
        "CHAIN": chain,
        "ROOT": root,
        "CHAIN_WITH_BATCH": chain_batch(chain, root),
    } == VECTORS


@given(words, words, slots, slots)
def test_a_chain_tells_order_and_kind(first: bytes, second: bytes, a: int, b: int) -> None:
    forth = chain_transaction(chain_transaction(EMPTY_CHAIN, a, first), b, second)
    back = chain_transaction(chain_transaction(EMPTY_CHAIN, b, second), a, first)
    assert (forth == back) == ((a, first) == (b, second))
    assert chain_batch(EMPTY_CHAIN, first) != chain_transaction(EMPTY_CHAIN, a, first)


@given(st.lists(words, min_size=1, max_size=16), st.data())
def test_a_root_binds_every_digest_and_signature(digests: list[bytes], data: st.DataObject) -> None:
    signatures = [bytes([i]) * 65 for i in range(len(digests))]
    root = batch_root(digests, signatures)
    place = data.draw(st.integers(0, len(digests) - 1))
    other = bytes(byte ^ 1 for byte in digests[place])
    assert batch_root([*digests[:place], other, *digests[place + 1 :]], signatures) != root
    assert batch_root(digests, [*signatures[:place], b"", *signatures[place + 1 :]]) != root
    assert batch_root(digests[:-1], signatures[:-1]) != root
