"""How events are read from logs: asked for by index, in ranges of blocks, and decoded."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from eth_abi.exceptions import DecodingError
from web3.exceptions import Web3RPCError
from web3.types import LogReceipt

from marketplace.chain.client import MarketClient
from marketplace.chain.endpoint import translated_errors
from marketplace.chain.events.base import Event
from marketplace.chain.events.logs import Log, abi_of, arguments_in, topic_of
from marketplace.chain.json_rpc import ask, request
from marketplace.chain.names import snake_case
from marketplace.chain.types import (
    Address,
    ChallengeKind,
    ChunkFacts,
    SketchFacts,
    SketchStatement,
    Status,
)
from marketplace.errors import FairshareError, Reason

_ENUMS: Mapping[str, type[Status | ChallengeKind]] = {
    "enum Status": Status,
    "enum ChallengeKind": ChallengeKind,
}
_STRUCTS: Mapping[str, type[ChunkFacts | SketchFacts | SketchStatement]] = {
    "struct ChunkFacts": ChunkFacts,
    "struct SketchFacts": SketchFacts,
    "struct SketchStatement": SketchStatement,
}

E = TypeVar("E", bound=Event)


def read_events(
    client: MarketClient,
    types: Sequence[type[E]],
    project: int | None,
    round: int | None,
    first: int,
    last: int,
) -> list[E]:
    """Events in the blocks first..last, asked for one range after another: see `fetch`."""
    found: list[E] = []
    for contract in dict.fromkeys(kind.contract for kind in types):
        of_contract = [kind for kind in types if kind.contract == contract]
        topics = topics_of(of_contract, project, round)
        by_topic = {topic_of(kind): kind for kind in of_contract}
        where = _address_of(client, contract)
        with translated_errors("read events"):  # a log may lack anything
            for log in _logs(client, where, topics, first, last):
                kind = by_topic.get(log.topics[0]) if log.topics else None
                if kind is None or log.address != where:
                    raise FairshareError(
                        Reason.INTEGRITY,
                        "the chain endpoint served a log nobody asked for",
                        "use another endpoint",
                    )
                found.append(_decode(kind, log))
    return sorted(found, key=lambda event: (event.block_number, event.log_index))


def decode_log(types: Iterable[type[Event]], log: LogReceipt) -> Event | None:
    """A receipt's log as an event of one of `types`; None when it is of another type."""
    by_topic = {topic_of(kind): kind for kind in types}
    found = Log.from_receipt(log)
    kind = by_topic.get(found.topics[0]) if found.topics else None
    return None if kind is None else _decode(kind, found)


def field_name(parameter: str) -> str:
    """The dataclass field of an event's parameter: snake_case, `from` as `from_`."""
    name = snake_case(parameter)
    return f"{name}_" if keyword.iskeyword(name) else name


def topics_of(types: Sequence[type[Event]], project: int | None, round: int | None) -> list[Any]:
    """The log filter's topics: any of the types, then project and round where they are asked for.

    ValueError where a type has no such index.
    """
    wanted = [("project", project), ("round", round)]
    while wanted and wanted[-1][1] is None:
        wanted.pop()
    for kind in types:
        indexed = [parameter["name"] for parameter in abi_of(kind)["inputs"] if parameter["indexed"]]
        for place, (name, value) in enumerate(wanted):
            if value is not None and indexed[place : place + 1] != [name]:
                raise ValueError(f"{kind.__name__} is not indexed by {name}")
    values = [None if value is None else "0x" + value.to_bytes(32, "big").hex() for _, value in wanted]
    return [["0x" + topic_of(kind).hex() for kind in types], *values]


def _logs(
    client: MarketClient, where: Address, topics: list[Any], from_block: int, to_block: int
) -> Iterable[Log]:
    """Logs in ranges of blocks that the endpoint is willing to serve."""
    start, span = from_block, client.log_span
    while start <= to_block:
        most = span.blocks
        end = min(start + most - 1, to_block)
        wanted = {"address": where, "topics": topics, "fromBlock": hex(start), "toBlock": hex(end)}
        with translated_errors("read events"):
            try:
                logs = ask(client.web3, request("eth_getLogs", wanted))
            except (Web3RPCError, FairshareError) as error:
                too_many = not isinstance(error, FairshareError) or error.reason is Reason.TOO_LARGE
                if start == end or not too_many:
                    raise
                span.refused(end - start + 1)
                continue
        if not isinstance(logs, list):
            raise ValueError("no logs")
        yield from (Log.from_json(log) for log in logs if not log.get("removed"))
        if end - start + 1 == most:  # else it was the end that limited it
            span.served(most)
        start = end + 1


def _decode(kind: type[E], log: Log) -> E:
    try:
        arguments = arguments_in(kind, log)
        values = {
            field_name(parameter["name"]): _typed(parameter, arguments[parameter["name"]])
            for parameter in abi_of(kind)["inputs"]
        }
    except (DecodingError, OverflowError, ValueError) as error:
        raise FairshareError(
            Reason.INTEGRITY, f"the chain endpoint served a malformed {kind.__name__}", "use another endpoint"
        ) from error
    return kind(
        block_number=log.block_number,
        transaction_hash=log.transaction_hash,
        log_index=log.log_index,
        **values,
    )


def _typed(parameter: Mapping[str, Any], value: Any) -> Any:
    enum = _ENUMS.get(parameter.get("internalType", ""))
    if enum is not None:
        return enum(value)
    struct = _STRUCTS.get(parameter.get("internalType", ""))
    if struct is not None:
        return struct.from_abi(value)
    return tuple(value) if parameter["type"].endswith("[]") else value


def _address_of(client: MarketClient, contract: str) -> Address:
    match contract:
        case "ITrainingMarket":
            return client.address
        case "IStakeVault":
            return client.vault.address
        case "IReputationRegistry":
            return client.reputation_address
        case _:
            return client.gram_verifier_address
