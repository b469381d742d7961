"""What a signer that keeps a key for one market agrees to sign: pure, over what it is asked by JSON-RPC."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from eth_utils.abi import function_abi_to_4byte_selector
from pydantic_core import from_json

from marketplace.chain.contracts import MARKET, interface_abi
from marketplace.chain.types import Address, address

LARGEST_DATA = 128 * 1024  # bytes of calldata; geth takes no larger transaction
_WORD = 32
_APPROVE = bytes.fromhex("095ea7b3")  # approve(address,uint256), EIP-20
_QUANTITIES = ("nonce", "value", "gas", "maxFeePerGas", "maxPriorityFeePerGas")


class Refusal(ValueError):
    """Why something is not signed, in one line."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """A transaction that is asked for. `fields`: as `Signer.sign_transaction` takes them."""

    fields: Mapping[str, Any]
    project: int | None  # that it is for, by its calldata

    @property
    def nonce(self) -> int:
        """Its place among the account's transactions."""
        return int(self.fields["nonce"])

    @property
    def most_cost(self) -> int:
        """Wei that it can take from the account."""
        return int(self.fields["value"]) + int(self.fields["gas"]) * int(self.fields["maxFeePerGas"])


@dataclasses.dataclass(frozen=True)
class Rules:
    """Calls of `contracts` on `chain_id` alone, and approvals of `tokens` for those.

    The limits: what a project, and all that is for none, may take from the account.
    """

    chain_id: int
    account: Address
    contracts: frozenset[Address]
    tokens: frozenset[Address] = frozenset()
    may_create: bool = False  # contracts: the verifier of a new circuit
    project_limit: int | None = None  # wei, each transaction at the most it may take; None: none
    other_limit: int | None = None

    def transaction(self, given: Any) -> Asked:
        """The parameter of eth_signTransaction. Raises Refusal."""
        if not isinstance(given, Mapping):
            raise Refusal("a transaction is an object")
        self._same_account(given.get("from"))
        chain_id = self.chain_id if given.get("chainId") is None else _quantity(given, "chainId")
        if chain_id != self.chain_id:
            raise Refusal(f"this key is for chain {self.chain_id}")
        numbers = {name: _quantity(given, name) for name in _QUANTITIES}
        data = _data(given.get("data") or given.get("input") or "0x")
        to = given.get("to")
        if not to:
            if not self.may_create:
                raise Refusal("it would create a contract")
            place: Address | bytes = b""
        else:
            place = _address(to)
            nothing = place == self.account and not data and not numbers["value"]
            if place in self.tokens:
                self._approval(data)
            elif place not in self.contracts and not nothing:
                raise Refusal(f"{place} is none of the contracts that this key is for")
        fields = {"type": 2, "chainId": chain_id, "to": place, "data": data, **numbers}
        return Asked(fields, project_in(data) if to else None)

    def typed_data(self, account: Any, text: Any) -> dict[str, Any]:
        """The parameters of eth_signTypedData, as a document. Raises Refusal."""
        self._same_account(account)
        document = _object(text)
        domain, message = document.get("domain"), document.get("message")
        if not isinstance(domain, dict) or not isinstance(message, dict):
            raise Refusal("no domain, or no message")
        if _integer(domain.get("chainId")) != self.chain_id:
            raise Refusal(f"this key is for chain {self.chain_id}")
        place = _address(domain.get("verifyingContract"))
        if place in self.tokens:
            if (
                document.get("primaryType") != "Permit"
                or _address(message.get("spender")) not in self.contracts
            ):
                raise Refusal("of a token only approvals for the market are signed")
        elif place not in self.contracts:
            raise Refusal(f"{place} is none of the contracts that this key is for")
        return document

    def text(self, account: Any, data: Any) -> str:
        """The parameters of eth_sign: a document of this market (a receipt, a preview). Raises Refusal."""
        self._same_account(account)
        try:
            text = _data(data).decode("utf8")
        except UnicodeDecodeError as error:
            raise Refusal("no text") from error
        document = _object(text)
        if (
            document.get("chain_id") != self.chain_id
            or _address(document.get("market")) not in self.contracts
        ):
            raise Refusal("it is no document of the market that this key is for")
        return text

    def check_limit(self, project: int | None, spent: int, needed: int) -> None:
        """Refusal where `needed` wei more would go beyond what the project, or all else, may take."""
        limit = self.other_limit if project is None else self.project_limit
        if limit is not None and spent + needed > limit:
            whose = "what is for no project" if project is None else f"project {project}"
            raise Refusal(
                f"{whose} may take {limit} wei, {spent} are signed for, and this takes up to {needed}"
            )

    def _approval(self, data: bytes) -> None:
        spender = data[4 : 4 + _WORD]
        if data[:4] != _APPROVE or _address("0x" + spender[-20:].hex()) not in self.contracts:
            raise Refusal("of a token only approvals for the market are signed")

    def _same_account(self, given: Any) -> None:
        if _address(given) != self.account:
            raise Refusal("the key of that account is not here")


def project_in(data: bytes) -> int | None:
    """The project that a call of the market is for; None for a call that names none."""
    if data[:4] not in _selectors() or len(data) < 4 + _WORD:
        return None
    return int.from_bytes(data[4 : 4 + _WORD], "big")


@functools.cache
def _selectors() -> frozenset[bytes]:
    """Of the market's functions whose first parameter is the project."""
    return frozenset(
        bytes(function_abi_to_4byte_selector(entry))  # type: ignore[arg-type]
        for entry in interface_abi(MARKET)
        if entry["type"] == "function" and entry["inputs"] and entry["inputs"][0]["name"] == "project"
    )


def _quantity(given: Mapping[str, Any], name: str) -> int:
    value = given.get(name)
    if not isinstance(value, str) or not value.startswith("0x") or len(value) > 2 + 2 * _WORD:
        raise Refusal(f"{name} is no quantity")
    try:
        return int(value, 16)
    except ValueError as error:
        raise Refusal(f"{name} is no quantity") from error


def _integer(value: Any) -> int:
    try:
        return int(value) if isinstance(value, (int, str)) else -1
    except ValueError:
        return -1


def _data(value: Any) -> bytes:
    if not isinstance(value, str) or not value.startswith("0x") or len(value) > 2 + 2 * LARGEST_DATA:
        raise Refusal("no bytes in hex, or too many")
    try:
        return bytes.fromhex(value[2:])
    except ValueError as error:
        raise Refusal("no bytes in hex") from error


def _address(value: Any) -> Address:
    try:
        return address(value)
    except (ValueError, TypeError) as error:
        raise Refusal("no address") from error


def _object(text: Any) -> dict[str, Any]:
    try:
        # Not the standard library's: what is nested too deeply ends the process where a library raised Python's limit.
        document = from_json(text, allow_inf_nan=False) if isinstance(text, str) else text
    except ValueError as error:
        raise Refusal("no JSON") from error
    if not isinstance(document, dict):
        raise Refusal("no object")
    return document
