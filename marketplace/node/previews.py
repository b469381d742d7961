"""Previews: the model that a round will have merged, announced by its aggregator while the proof is made.

GET {url}/previews/{project}/{round}. Nothing is trusted: what is trained on a preview counts only once the chain holds
that very model.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from marketplace.chain.signer import AnySigner, as_signer
from marketplace.chain.types import Address, address
from marketplace.errors import FairshareError, Reason
from marketplace.node.hand_over import check_url
from marketplace.node.peer_http import peer_client, read_answer
from marketplace.node.signatures import SIGNATURE_BYTES
from marketplace.storage.cid import digest_of, from_digest
from zk import curve
from zk.curve import Point

PATH = "/previews"
MAX_BYTES = 1024
TIMEOUT_S = 5.0

_SIZES = {"model": 32, "commitment": curve.SIZE, "signature": SIGNATURE_BYTES}


@dataclass(frozen=True)
class Market:
    """Which market a preview is of: part of what is signed."""

    chain_id: int
    address: Address


@dataclass(frozen=True)
class Preview:
    """The model after `round`, as its aggregator expects it on chain."""

    project: int
    round: int
    cid: str
    commitment: Point

    def sign(self, market: Market, account: AnySigner) -> bytes:
        """The document that is served: JSON with the account's signature (EIP-191)."""
        stated = self._stated(market)
        signature = "0x" + as_signer(account).sign_text(_canonical(stated)).hex()
        return _canonical({**stated, "signature": signature}).encode()

    def _stated(self, market: Market) -> dict[str, Any]:
        return {
            "chain_id": market.chain_id,
            "market": market.address,
            "project": self.project,
            "round": self.round,
            "model": "0x" + digest_of(self.cid).hex(),
            "commitment": "0x" + b"".join(part.to_bytes(32, "big") for part in self.commitment).hex(),
        }


def read_preview(document: bytes, market: Market, project: int, round_: int, aggregator: Address) -> Preview:
    """What was served, which may be anything, as a preview; INTEGRITY unless the aggregator signed it for the round."""
    try:
        if len(document) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES} bytes")
        stated = json.loads(document.decode("ascii"))
        if not isinstance(stated, dict):
            raise ValueError("no object")
        model, commitment, signature = (_hex(stated, name, size) for name, size in _SIZES.items())
        half = curve.SIZE // 2  # not looked at any closer: it is compared with what the chain holds
        point = Point(int.from_bytes(commitment[:half], "big"), int.from_bytes(commitment[half:], "big"))
        preview = Preview(project, round_, from_digest(model), point)
        message = encode_defunct(text=_canonical(preview._stated(market)))
        signer = address(Account.recover_message(message, signature=signature))
    except (ValueError, TypeError, KeyError, RecursionError, BadSignature, ValidationError) as error:
        raise FairshareError(Reason.INTEGRITY, f"no preview: {error}") from error
    if signer != aggregator:
        raise FairshareError(Reason.INTEGRITY, "the preview is not the aggregator's, of this round")
    return preview


def asking(timeout_s: float = TIMEOUT_S) -> httpx.Client:
    """A client to ask for previews with, again and again."""
    return peer_client(timeout_s)


def fetch_preview(
    client: httpx.Client, url: str, market: Market, project: int, round_: int, aggregator: Address
) -> Preview | None:
    """What the aggregator at `url` announces of `round_`; None while there is nothing of it.

    Raises BAD_INPUT for an address that is not to be asked, UNAVAILABLE where nobody answers, INTEGRITY for what is
    not this round's preview with the aggregator's signature.
    """
    check_url(url, chain_id=market.chain_id)
    try:
        with client.stream("GET", f"{url.rstrip('/')}{PATH}/{project}/{round_}") as response:
            if response.status_code != httpx.codes.OK:
                return None
            document = read_answer(response, MAX_BYTES)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise FairshareError(
            Reason.UNAVAILABLE, f"the aggregator at {url[:80]} shows no preview: {type(error).__name__}"
        ) from error
    return read_preview(document, market, project, round_, aggregator)


def _canonical(document: dict[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def _hex(document: dict[str, Any], name: str, size: int) -> bytes:
    text = document[name]
    if not isinstance(text, str) or not text.startswith("0x") or len(text) != 2 + 2 * size:
        raise ValueError(f"{name} is not {size} bytes as 0x-hex")
    return bytes.fromhex(text[2:])
