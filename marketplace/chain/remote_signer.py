"""A signer that keeps its key in another process or on another machine, by Ethereum's JSON-RPC over HTTP.

Methods and parameters are those of Web3Signer: eth_accounts, eth_signTransaction, eth_signTypedData (the document as
text), eth_sign. What comes back is held against what was asked for, so that a signer can refuse, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx
from eth_account import Account
from eth_account.messages import SignableMessage, encode_defunct, encode_typed_data
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError
from hexbytes import HexBytes
from pydantic_core import from_json
from rlp.exceptions import RLPException

from marketplace.chain.endpoint import shown
from marketplace.chain.signer import SignedBytes, Types
from marketplace.chain.types import Address, address
from marketplace.errors import FairshareError, Reason

TIMEOUT_S = 30.0  # somebody may have to press a button
UNIX = "unix:"
_LARGEST_ANSWER = 1024 * 1024  # bytes
_SIGNATURE_BYTES = 65
_DOMAIN_TYPES = {
    "name": "string",
    "version": "string",
    "chainId": "uint256",
    "verifyingContract": "address",
}


class RemoteSigner:
    """See `Signer`. `url`: http, https, or unix: and the path of a socket."""

    def __init__(self, url: str, account: Address, *, timeout_s: float = TIMEOUT_S) -> None:
        self.address = account
        self._shown = url if url.startswith(UNIX) else shown(url)
        self._url = "http://signer" if url.startswith(UNIX) else url
        transport = httpx.HTTPTransport(uds=url.removeprefix(UNIX)) if url.startswith(UNIX) else None
        self._client = httpx.Client(
            timeout=timeout_s,
            headers={"Accept-Encoding": "identity"},
            follow_redirects=False,
            trust_env=False,
            transport=transport,
        )

    def check(self) -> None:
        """BAD_INPUT unless the signer has the account's key, as far as it says. Raises UNAVAILABLE."""
        listed = self._ask("eth_accounts", [])
        accounts = [str(each).lower() for each in listed] if isinstance(listed, list) else []
        if self.address.lower() not in accounts:
            raise FairshareError(
                Reason.BAD_INPUT,
                f"the signer at {self._shown} has no key of {self.address}",
                "give the address of one of its keys with --address",
            )

    def sign_transaction(self, fields: Mapping[str, Any]) -> SignedBytes:
        """See `Signer`."""
        asked = {
            "from": self.address,
            "type": "0x2",
            "chainId": hex(fields["chainId"]),
            "nonce": hex(fields["nonce"]),
            "value": hex(fields["value"]),
            "data": "0x" + bytes(fields["data"]).hex(),
            "gas": hex(fields["gas"]),
            "maxFeePerGas": hex(fields["maxFeePerGas"]),
            "maxPriorityFeePerGas": hex(fields["maxPriorityFeePerGas"]),
        }
        if fields["to"]:
            asked["to"] = fields["to"]
        answer = self._ask("eth_signTransaction", [asked])
        if isinstance(answer, dict):  # geth: {raw, tx}
            answer = answer.get("raw")
        raw = self._bytes(answer)
        try:
            signed = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
            signer = address(Account.recover_transaction(HexBytes(raw)))
        except (ValueError, TypeError, KeyError, BadSignature, ValidationError, RLPException) as error:
            raise self._false("a transaction") from error
        if signer != self.address or not _is_as_asked(signed, fields):
            raise self._false("the transaction")
        return SignedBytes(bytes(keccak(raw)), raw)

    def sign_typed_data(self, domain: Mapping[str, Any], types: Types, message: Mapping[str, Any]) -> bytes:
        """See `Signer`."""
        (primary,) = types
        document = {
            "types": {
                "EIP712Domain": [{"name": name, "type": _DOMAIN_TYPES[name]} for name in domain],
                **types,
            },
            "primaryType": primary,
            "domain": dict(domain),
            "message": {name: _plain(value) for name, value in message.items()},
        }
        answer = self._ask("eth_signTypedData", [self.address, json.dumps(document)])
        return self._signature(answer, encode_typed_data(dict(domain), dict(types), dict(message)))

    def sign_text(self, text: str) -> bytes:
        """See `Signer`."""
        answer = self._ask("eth_sign", [self.address, "0x" + text.encode().hex()])
        return self._signature(answer, encode_defunct(text=text))

    def _signature(self, answer: Any, signed: SignableMessage) -> bytes:
        found = self._bytes(answer)
        if len(found) != _SIGNATURE_BYTES:
            raise self._false("a signature")
        found = found[:-1] + bytes([found[-1] + 27 if found[-1] < 27 else found[-1]])
        try:
            signer = address(Account.recover_message(signed, signature=found))
        except (ValueError, BadSignature, ValidationError) as error:
            raise self._false("a signature") from error
        if signer != self.address:
            raise self._false("the signature")
        return found

    def _ask(self, method: str, params: list[Any]) -> Any:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        try:
            with self._client.stream("POST", self._url, json=request) as response:
                body = b""
                for chunk in response.iter_raw():  # never unpacked: a packed answer is no JSON
                    body += chunk
                    if len(body) > _LARGEST_ANSWER:
                        raise self._silent("its answer is too long")
        except httpx.InvalidURL as error:
            raise FairshareError(
                Reason.BAD_INPUT, f"{self._shown} is no signer's URL", "give http://HOST:PORT or unix:PATH"
            ) from error
        except (httpx.HTTPError, OSError) as error:
            raise self._silent(type(error).__name__) from error
        try:
            document = from_json(body, allow_inf_nan=False)
            if not isinstance(document, dict):
                raise ValueError("no object")
            if document.get("error") is None and "result" not in document:
                raise ValueError("no answer")
        except ValueError as error:
            raise self._silent(f"HTTP status {response.status_code}, and no JSON-RPC") from error
        if document.get("error") is not None:
            said = (
                document["error"].get("message") if isinstance(document["error"], dict) else document["error"]
            )
            raise FairshareError(
                Reason.BAD_INPUT,
                f"the signer refuses {method}: {' '.join(str(said).split())[:200]}",
                "see its log and its rules",
            )
        return document["result"]

    def _bytes(self, value: Any) -> bytes:
        try:
            if not isinstance(value, str) or not value.startswith("0x"):
                raise ValueError("no hex")
            return bytes.fromhex(value[2:])
        except ValueError as error:
            raise self._false("bytes") from error

    def _silent(self, why: str) -> FairshareError:
        return FairshareError(
            Reason.UNAVAILABLE, f"the signer at {self._shown} does not answer: {why}", "start it"
        )

    def _false(self, what: str) -> FairshareError:
        return FairshareError(
            Reason.INTEGRITY,
            f"the signer at {self._shown} answered with what is not {what} of {self.address} that was asked for",
            "use another signer",
        )


def _is_as_asked(signed: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    numbers = ("chainId", "nonce", "value", "gas", "maxFeePerGas", "maxPriorityFeePerGas")
    to = bytes(HexBytes(asked["to"])) if asked["to"] else b""
    return (
        int(signed["type"]) == 2
        and all(int(signed[name]) == asked[name] for name in numbers)
        and bytes(HexBytes(signed["to"])) == to
        and bytes(HexBytes(signed["data"])) == bytes(asked["data"])
        and not signed.get("accessList")
    )


def _plain(value: Any) -> Any:
    """As JSON has it: bytes in hex, and numbers that JavaScript cannot hold as text."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, int) and not -(2**53) < value < 2**53:
        return str(value)
    return value
