"""Whether a batch's entries are signed, as the contract checks with the result: by an account's key, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from marketplace.chain.client import MarketClient
from marketplace.chain.submission import submission_hash
from marketplace.chain.types import Address

SIGNATURE_BYTES = 65  # r, s, v
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0  # of secp256k1, rounded down


def signed_by(
    client: MarketClient, project: int, round: int, trainers: Sequence[Address | None]
) -> Callable[[int, bytes, bytes], bool]:
    """`is_signed`(slot, digest, signature) for `arrivals.received`; `trainers`: by slot (`seats.cohort_trainers`)."""

    def is_signed(slot: int, digest: bytes, signature: bytes) -> bool:
        hashed = submission_hash(client.chain_id, client.address, project, round, digest)
        return trainers[slot] is not None and signer_of(hashed, signature) == trainers[slot]

    return is_signed


def signer_of(hashed: bytes, signature: bytes) -> Address | None:
    """The address whose key made this signature of 32 bytes, as OpenZeppelin's ECDSA recovers it; None for no such.

    Only 65 bytes with v 27 or 28 and s in the lower half of the order (EIP-2) are signatures.
    """
    if len(signature) != SIGNATURE_BYTES or signature[64] not in (27, 28):
        return None
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        return None
    try:
        parsed = Signature(signature[:64] + bytes([signature[64] - 27]))
        return Address(parsed.recover_public_key_from_msg_hash(hashed).to_checksum_address())
    except (BadSignature, ValidationError):
        return None
