"""Brownie's contracts without brownie's bookkeeping, for tests of many thousand transactions.

Brownie takes a snapshot of the chain and a new reading of its clock after each transaction. Here a transaction is one
request, which answers with the receipt; a refused one is mined as well, and traced for its error. Each block of any
brownie test is one second after the one before it (conftest.py), so a test knows the time of its transactions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from brownie import web3
from eth_abi.abi import decode
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak

from marketplace.chain.reverts import decode_revert
from marketplace.chain.types import address

GAS = hex(30_000_000)


class Refused(Exception):
    """A contract refused a call; `name` is the custom error's."""

    def __init__(self, name: str, call: str) -> None:
        super().__init__(f"{call} was refused: {name}")
        self.name = name


def request(method: str, *parameters: Any) -> Any:
    """What the chain answers; RuntimeError where it does not."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters})
    line = _line(str(web3.provider.endpoint_uri))
    line.request("POST", "/", body, {"Content-Type": "application/json"})
    answer = json.loads(line.getresponse().read())
    if "error" in answer:
        raise RuntimeError(f"{method}: {answer['error']}")
    return answer["result"]


@cache
def _line(endpoint: str) -> HTTPConnection:
    """One connection for all: web3's own request costs five times what the chain does."""
    place = urlsplit(endpoint)
    assert place.hostname is not None
    return HTTPConnection(place.hostname, place.port)


def tick() -> None:
    """From now on each block is one second after the one before it, however long the test takes."""
    request("anvil_setBlockTimestampInterval", 1)


def now() -> int:
    """Of the latest block."""
    return int(request("eth_getBlockByNumber", "latest", False)["timestamp"], 16)


def next_block_at(time: int) -> None:
    request("evm_setNextBlockTimestamp", time)


def wait_until(time: int) -> None:
    """Until the next block has this time; nowhere where it has passed. An empty block is mined the second before."""
    if time - 1 > now():
        next_block_at(time - 1)
        request("evm_mine")


def wait(seconds: int) -> None:
    """Until the next block is so much later than the latest one."""
    wait_until(now() + seconds)


@dataclass(frozen=True)
class Sent:
    """A transaction that succeeded."""

    logs: Sequence[Any]
    kinds: dict[str, Any]  # event ABIs by topic

    @property
    def events(self) -> dict[str, list[dict[str, Any]]]:
        """Arguments by name of the events that this contract's ABI knows, by event."""
        found: dict[str, list[dict[str, Any]]] = {}
        for log in self.logs:
            if log["topics"] and log["topics"][0] in self.kinds:
                entry = self.kinds[log["topics"][0]]
                found.setdefault(entry["name"], []).append(_arguments(entry, log))
        return found


class Wired:
    """A contract of brownie's, whose functions are called and sent to directly."""

    def __init__(self, contract: Any) -> None:
        self.address = str(contract.address)
        self._functions = {entry["name"]: entry for entry in contract.abi if entry["type"] == "function"}
        self._types: dict[str, tuple[str, ...]] = {}  # of what a function returns
        self._contract = contract
        self._kinds = {
            "0x" + keccak(text=_signature(entry)).hex(): entry
            for entry in contract.abi
            if entry["type"] == "event"
        }

    def __str__(self) -> str:
        return self.address

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_") or name not in self._functions:
            raise AttributeError(name)
        reads = self._functions[name]["stateMutability"] in ("view", "pure")
        return self._reader(name) if reads else self._sender(name)

    def encoded(self, name: str, *arguments: Any) -> str:
        """Calldata."""
        return str(getattr(self._contract, name).encode_input(*arguments))

    def decoded(self, name: str, answer: bytes) -> Any:
        """What a function returned: one value, or a tuple of them; structs are tuples, addresses checksummed."""
        if name not in self._types:
            self._types[name] = tuple(map(collapse_if_tuple, self._functions[name]["outputs"]))
        values = _decoded(self._types[name], answer)
        return values[0] if len(values) == 1 else values

    def ask(self, name: str, data: str) -> Any:
        """What a function says to calldata."""
        found = request("eth_call", {"to": self.address, "data": data, "gas": GAS}, "latest")
        return self.decoded(name, bytes.fromhex(found[2:]))

    def _reader(self, name: str) -> Callable[..., Any]:
        return lambda *arguments: self.ask(name, self.encoded(name, *arguments))

    def _sender(self, name: str) -> Callable[..., Sent]:
        def send(*arguments: Any) -> Sent:
            *given, fields = arguments
            transaction = {
                "from": str(fields["from"]),
                "to": self.address,
                "data": self.encoded(name, *given),
                "value": hex(fields.get("value", 0)),
                "gas": GAS,
                "gasPrice": "0x0",
            }
            receipt = request("eth_sendTransactionSync", transaction)
            if int(receipt["status"], 16):
                return Sent(receipt["logs"], self._kinds)
            raise Refused(_reason(receipt["transactionHash"]), name)

        return send


def _reason(transaction: str) -> str:
    options = {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True}}
    traced = request("debug_traceTransaction", transaction, options)
    data = bytes.fromhex(traced.get("output", "0x")[2:])
    found = decode_revert(data)
    return found.name if found else f"no known error ({traced.get('error')}, {data.hex()})"


def _signature(entry: Any) -> str:
    return f"{entry['name']}({','.join(collapse_if_tuple(given) for given in entry['inputs'])})"


def _arguments(entry: Any, log: Any) -> dict[str, Any]:
    shown = [given for given in entry["inputs"] if given["indexed"]]
    hidden = [given for given in entry["inputs"] if not given["indexed"]]
    found = {
        given["name"]: _tidy(decode([collapse_if_tuple(given)], bytes.fromhex(topic[2:]))[0])
        for given, topic in zip(shown, log["topics"][1:], strict=True)
    }
    values = decode([collapse_if_tuple(given) for given in hidden], bytes.fromhex(log["data"][2:]))
    return found | {given["name"]: _tidy(value) for given, value in zip(hidden, values, strict=True)}


@lru_cache(maxsize=20_000)
def _decoded(types: tuple[str, ...], answer: bytes) -> tuple[Any, ...]:
    """Most of what is read in a view was read in the one before it."""
    return tuple(_tidy(value) for value in decode(types, answer))


def _tidy(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return tuple(_tidy(item) for item in value)
    return _checksummed(value) if isinstance(value, str) and value.startswith("0x") else value


@cache
def _checksummed(text: str) -> str:
    return str(address(text)) if len(text) == 42 else text
