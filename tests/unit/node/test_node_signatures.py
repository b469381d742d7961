from __future__ import annotations

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from marketplace.chain.submission import sign_submission, submission_hash
from marketplace.chain.types import Address
from marketplace.node.signatures import signer_of

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SIGNER = Account.from_key(b"\x07" * 32)
MARKET = Address("0x" + "11" * 20)
HASH = submission_hash(31337, MARKET, 4, 2, b"d" * 32)
SIGNATURE = sign_submission(SIGNER, 31337, MARKET, 4, 2, b"d" * 32)


def test_a_signature_names_its_signer() -> None:
    assert signer_of(HASH, SIGNATURE) == SIGNER.address
    for other in (
        submission_hash(1, MARKET, 4, 2, b"d" * 32),
        submission_hash(31337, MARKET, 5, 2, b"d" * 32),
        submission_hash(31337, MARKET, 4, 3, b"d" * 32),
        submission_hash(31337, MARKET, 4, 2, b"e" * 32),
    ):
        assert signer_of(other, SIGNATURE) != SIGNER.address


def flipped() -> bytes:
    """The same signature's other form, which ECDSA itself accepts."""
    s = ORDER - int.from_bytes(SIGNATURE[32:64], "big")
    return SIGNATURE[:32] + s.to_bytes(32, "big") + bytes([55 - SIGNATURE[64]])


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        SIGNATURE[:64],
        SIGNATURE + b"\0",
        SIGNATURE[:64] + bytes([SIGNATURE[64] - 27]),
        flipped(),
        bytes(64) + b"\x1b",
        b"\xff" * 64 + b"\x1b",
    ],
)
def test_what_the_contract_does_not_take_is_no_signature(signature: bytes) -> None:
    assert signer_of(HASH, signature) is None


@given(st.binary(min_size=64, max_size=64), st.integers(0, 255))
def test_arbitrary_bytes_are_not_our_signature(data: bytes, v: int) -> None:
    assert signer_of(HASH, data + bytes([v])) != SIGNER.address
