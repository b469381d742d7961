"""Logs, and how one is read as the event that it is of: which arguments are where, worked out once for each event."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from eth_utils.abi import collapse_if_tuple, event_abi_to_log_topic
from hexbytes import HexBytes
from web3.types import LogReceipt

from marketplace.chain.contracts import abi_entry
from marketplace.chain.events.base import Event
from marketplace.chain.json_rpc import bytes_in, hash_in, number_in
from marketplace.chain.types import Address, address
from marketplace.chain.views import decoded


class Log(NamedTuple):
    """A log in a block. Topics have 32 bytes; the first names the event."""

    address: Address
    topics: tuple[bytes, ...]
    data: bytes
    block_number: int
    transaction_hash: bytes
    log_index: int

    @classmethod
    def from_json(cls, given: Any) -> Self:
        """As JSON-RPC has it. Raises KeyError, TypeError or ValueError where it is no log in a block."""
        return cls(
            address=address(given["address"]),
            topics=tuple(hash_in(topic) for topic in given["topics"]),
            data=bytes_in(given["data"]),
            block_number=number_in(given["blockNumber"]),
            transaction_hash=hash_in(given["transactionHash"]),
            log_index=number_in(given["logIndex"]),
        )

    @classmethod
    def from_receipt(cls, given: LogReceipt) -> Self:
        """As web3 has it."""
        return cls(
            address=address(str(given["address"])),
            topics=tuple(bytes(topic) for topic in given["topics"]),
            data=bytes(HexBytes(given["data"])),
            block_number=int(given["blockNumber"]),
            transaction_hash=bytes(given["transactionHash"]),
            log_index=int(given["logIndex"]),
        )


class _Layout(NamedTuple):
    """What names an event, and names and ABI types of its arguments."""

    topic: bytes
    in_topics: tuple[tuple[str, str], ...]
    in_data: tuple[str, ...]
    types_in_data: tuple[str, ...]


def abi_of(kind: type[Event]) -> Mapping[str, Any]:
    """The event's entry in its contract's ABI."""
    return abi_entry(kind.contract, "event", kind.__name__)


def topic_of(kind: type[Event]) -> bytes:
    """What names the event in a log, 32 bytes."""
    return _layout(kind.contract, kind.__name__).topic


def arguments_in(kind: type[Event], log: Log) -> dict[str, Any]:
    """The event's arguments by name, structs as tuples.

    Raises ValueError, OverflowError and eth_abi's DecodingError where the log holds none of this event.
    """
    layout = _layout(kind.contract, kind.__name__)
    if log.topics[:1] != (layout.topic,) or len(log.topics) != 1 + len(layout.in_topics):
        raise ValueError("other topics than the event has")
    found = dict(zip(layout.in_data, decoded(layout.types_in_data, log.data), strict=True))
    for (name, type_), topic in zip(layout.in_topics, log.topics[1:], strict=True):
        (found[name],) = decoded((type_,), topic)
    return found


@functools.cache
def _layout(contract: str, event: str) -> _Layout:
    entry = abi_entry(contract, "event", event)
    inputs = entry["inputs"]
    plain = [each for each in inputs if not each["indexed"]]
    return _Layout(
        topic=bytes(event_abi_to_log_topic(entry)),  # type: ignore[arg-type]
        in_topics=tuple((each["name"], each["type"]) for each in inputs if each["indexed"]),
        in_data=tuple(each["name"] for each in plain),
        types_in_data=tuple(collapse_if_tuple(each) for each in plain),
    )
