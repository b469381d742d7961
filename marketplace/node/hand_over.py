"""Handing a signed digest to the aggregator over HTTP: POST {url}/submissions, a receipt in return."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from marketplace.chain.local import LOCAL_CHAIN_IDS
from marketplace.chain.types import Address
from marketplace.errors import FairshareError, Reason
from marketplace.node.peer_http import peer_client, read_answer

PATH = "/submissions"
MAX_RECEIPT_BYTES = 4096
TIMEOUT_S = 5.0


@dataclass(frozen=True)
class SignedSubmission:
    """What a trainer hands over in place of a transaction."""

    project: int
    round: int
    trainer: Address
    digest: bytes  # 32: of its commitment and address
    blob: bytes  # 32: digest of the sealed update's CIDv0
    signature: bytes  # EIP-712, of project, round and digest

    def to_json(self) -> dict[str, Any]:
        """The request's body; bytes as 0x-hex."""
        return {
            "project": self.project,
            "round": self.round,
            "trainer": self.trainer,
            "digest": "0x" + self.digest.hex(),
            "blob": "0x" + self.blob.hex(),
            "signature": "0x" + self.signature.hex(),
        }


def hand_over(url: str, submission: SignedSubmission, *, chain_id: int, timeout_s: float = TIMEOUT_S) -> str:
    """The aggregator's receipt, as text.

    `url` comes from the chain, so from a stranger: BAD_INPUT unless it is plain HTTP(S), and on a chain that is not
    local unless it leads out of this machine and its network. UNAVAILABLE where nobody answers, or without a receipt.
    """
    check_url(url, chain_id=chain_id)
    try:
        with (
            peer_client(timeout_s) as client,
            client.stream("POST", url.rstrip("/") + PATH, json=submission.to_json()) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise _no_receipt(url, f"it answers {response.status_code}")
            answer = read_answer(response, MAX_RECEIPT_BYTES)
            if len(answer) > MAX_RECEIPT_BYTES:
                raise _no_receipt(url, "its answer is too long")
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise _no_receipt(url, f"{type(error).__name__}") from error
    try:
        receipt = json.loads(answer)["receipt"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _no_receipt(url, "its answer is no receipt") from error
    return receipt if isinstance(receipt, str) else json.dumps(receipt)


def check_url(url: str, *, chain_id: int) -> None:
    """BAD_INPUT for an address that a stranger put on chain and nobody should ask (see `hand_over`)."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:
        raise _bad(url) from error
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or parts.username:
        raise _bad(url)
    if chain_id in LOCAL_CHAIN_IDS:
        return
    try:
        inside = not ipaddress.ip_address(host).is_global
    except ValueError:  # a name
        inside = host == "localhost" or host.endswith((".localhost", ".local", ".internal"))
    if inside:
        raise _bad(url)


def _bad(url: str) -> FairshareError:
    return FairshareError(
        Reason.BAD_INPUT,
        f"the aggregator's address {url[:80]!r} is none to hand anything to",
        "submit by transaction",
    )


def _no_receipt(url: str, why: str) -> FairshareError:
    return FairshareError(
        Reason.UNAVAILABLE, f"the aggregator at {url[:80]} gives no receipt: {why}", "submit by transaction"
    )
