"""The point at which a sketch's commitment is asked about: as on chain, and different for every claim."""

from __future__ import annotations

from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from marketplace.protocol.field import FIELD_MODULUS
from marketplace.protocol.sketch_check import NOTHING, sketch_challenge

words = st.binary(min_size=32, max_size=32)
coordinates = st.integers(0, 2**256 - 1)
KINDS = ["bytes32", "uint256", "uint256", "bytes32", "bytes32", "bytes32"]


@given(words, coordinates, coordinates, words, words, words)
def test_the_challenge_is_the_contracts(
    circuit: bytes, x: int, y: int, before: bytes, after: bytes, seed: bytes
) -> None:
    claim = encode(KINDS, [circuit, x, y, before, after, seed])
    expected = int.from_bytes(keccak(claim), "big") % FIELD_MODULUS
    assert sketch_challenge(circuit, x, y, before, after, seed) == expected


def test_everything_claimed_is_in_the_challenge() -> None:
    a, b = b"a" * 32, b"b" * 32
    made = {
        sketch_challenge(*claim)
        for claim in (
            (a, 1, 2, NOTHING, a, a),
            (b, 1, 2, NOTHING, a, a),
            (a, 2, 1, NOTHING, a, a),
            (a, 1, 3, NOTHING, a, a),
            (a, 1, 2, a, NOTHING, a),
            (a, 1, 2, a, a, a),
            (a, 1, 2, NOTHING, b, a),
            (a, 1, 2, NOTHING, a, b),
        )
    }
    assert len(made) == 8
