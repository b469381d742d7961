"""The EIP-712 signature by which a trainer hands a round's digest to the aggregator's batch."""

from __future__ import annotations

from typing import Any

from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from marketplace.chain.signer import AnySigner, as_signer
from marketplace.chain.types import Address

_TYPES = {
    "Submission": [
        {"name": "project", "type": "uint256"},
        {"name": "round", "type": "uint16"},
        {"name": "digest", "type": "bytes32"},
    ]
}


def submission_hash(chain_id: int, market: Address, project: int, round: int, digest: bytes) -> bytes:
    """The 32 bytes that are signed: what the market's `signedHash` returns."""
    message = encode_typed_data(_domain(chain_id, market), _TYPES, _message(project, round, digest))
    return bytes(keccak(b"\x19" + message.version + message.header + message.body))


def sign_submission(
    account: AnySigner, chain_id: int, market: Address, project: int, round: int, digest: bytes
) -> bytes:
    """The account's signature: 65 bytes r, s, v, with v 27 or 28 and s in the lower half of the order."""
    domain = _domain(chain_id, market)
    return as_signer(account).sign_typed_data(domain, _TYPES, _message(project, round, digest))


def _domain(chain_id: int, market: Address) -> dict[str, Any]:
    return {"name": "Fairshare", "version": "1", "chainId": chain_id, "verifyingContract": market}


def _message(project: int, round: int, digest: bytes) -> dict[str, Any]:
    return {"project": project, "round": round, "digest": digest}
