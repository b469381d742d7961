"""The owner's commitment to its validation set, opened with `reveal` once the last round is over."""

from __future__ import annotations

from eth_utils.crypto import keccak

DIGEST_BYTES = 32


def commitment(digest: bytes, salt: bytes) -> str:
    """keccak256(abi.encode(digest, salt)), 0x and 64 hex digits. `digest`: of the set's CIDv0; both 32 bytes."""
    if len(digest) != DIGEST_BYTES or len(salt) != DIGEST_BYTES:
        raise ValueError("digest and salt have 32 bytes each")
    return "0x" + keccak(digest + salt).hex()
