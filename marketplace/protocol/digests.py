"""What is submitted in place of a commitment, and the hashes over what arrived (docs/protocol.md, "What is submitted").

Twin of contracts/libraries/Arrival.sol.
"""

from __future__ import annotations

from collections.abc import Sequence

from eth_abi.abi import encode
from eth_utils.crypto import keccak

EMPTY_CHAIN = bytes(32)
BATCH = 0xFF  # stands for the batch in an order of arrival


def update_digest(x: int, y: int, account: str) -> bytes:
    """keccak256(abi.encode(x, y, account)): 32 bytes that bind a commitment to whoever submits it."""
    return bytes(keccak(encode(["uint256", "uint256", "address"], [x, y, account])))


def chain_transaction(chain: bytes, slot: int, digest: bytes) -> bytes:
    """A cohort's chain after a submission by transaction."""
    return bytes(keccak(chain + bytes([slot]) + digest))


def chain_batch(chain: bytes, root: bytes) -> bytes:
    """A cohort's chain after its batch."""
    return bytes(keccak(chain + bytes([BATCH]) + root))


def batch_root(digests: Sequence[bytes], signatures: Sequence[bytes]) -> bytes:
    """The root of a batch: digests and signatures by slot, ascending."""
    hashes = [bytes(keccak(signature)) for signature in signatures]
    return bytes(keccak(encode(["bytes32[]", "bytes32[]"], [list(digests), hashes])))
