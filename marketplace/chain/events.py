"""The contracts' events as frozen dataclasses, and how they are fetched by index."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, TypeVar

from eth_abi.exceptions import DecodingError
from eth_utils.abi import event_abi_to_log_topic
from web3 import Web3
from web3.contract import Contract
from web3.exceptions import LogTopicError, MismatchedABI, Web3RPCError, Web3ValueError
from web3.types import FilterParams, LogReceipt

from marketplace.chain.client import MarketClient
from marketplace.chain.contracts import (
    GRAM_VERIFIER,
    MARKET,
    REPUTATION,
    VAULT,
    abi_entry,
    contract_at,
)
from marketplace.chain.endpoint import translated_errors
from marketplace.chain.names import snake_case
from marketplace.chain.types import NATIVE_COIN, Address, RoundResult, Status, address
from marketplace.errors import FairshareError, Reason

_FIRST_SPAN = 10_000  # blocks asked for at once; halved when the endpoint refuses, doubled while it agrees


@dataclasses.dataclass(frozen=True)
class Event:
    """Where an event stands in the chain. Fields of the subclasses are the event's own, in snake_case."""

    contract: ClassVar[str] = MARKET

    block_number: int
    transaction_hash: bytes
    log_index: int


@dataclasses.dataclass(frozen=True)
class ProjectCreated(Event):
    project: int
    owner: Address
    circuit: bytes
    spec: bytes
    token: Address
    reward: int


@dataclasses.dataclass(frozen=True)
class TrainerJoined(Event):
    project: int
    trainer: Address
    slot: int
    encryption_key: bytes


@dataclasses.dataclass(frozen=True)
class TrainerLeft(Event):
    project: int
    trainer: Address
    slot: int


@dataclasses.dataclass(frozen=True)
class AggregatorJoined(Event):
    project: int
    aggregator: Address
    index: int
    encryption_key: bytes
    contact: bytes


@dataclasses.dataclass(frozen=True)
class AggregatorLeft(Event):
    project: int
    aggregator: Address
    index: int


@dataclasses.dataclass(frozen=True)
class RoundOpened(Event):
    project: int
    round: int
    submit_deadline: int
    result_deadline: int


@dataclasses.dataclass(frozen=True)
class UpdateSubmitted(Event):
    project: int
    round: int
    trainer: Address
    slot: int
    position: int
    x: int
    y: int
    blob: bytes


@dataclasses.dataclass(frozen=True)
class KeyResealed(Event):
    project: int
    round: int
    trainer: Address
    aggregator_index: int
    sealed_key: bytes


@dataclasses.dataclass(frozen=True)
class ResultPosted(Event):
    project: int
    round: int
    aggregator: Address
    omitted: int
    merged: int
    struck: int
    fee: int
    model: bytes
    x: int
    y: int


@dataclasses.dataclass(frozen=True)
class TrainerPaid(Event):
    project: int
    round: int
    trainer: Address
    contribution: int
    amount: int


@dataclasses.dataclass(frozen=True)
class TrainerStruck(Event):
    project: int
    round: int
    trainer: Address
    slashed: int


@dataclasses.dataclass(frozen=True)
class AggregatorTimedOut(Event):
    project: int
    round: int
    aggregator: Address
    slashed: int
    result_deadline: int


@dataclasses.dataclass(frozen=True)
class RoundSkipped(Event):
    project: int
    round: int
    submitted: int
    omitted: int


@dataclasses.dataclass(frozen=True)
class ProjectEnded(Event):
    project: int
    status: Status
    refund: int


@dataclasses.dataclass(frozen=True)
class Released(Event):
    project: int
    account: Address
    amount: int


@dataclasses.dataclass(frozen=True)
class Claimed(Event):
    token: Address
    account: Address
    amount: int


@dataclasses.dataclass(frozen=True)
class _VaultEvent(Event):
    contract: ClassVar[str] = VAULT

    token: Address
    account: Address
    amount: int


@dataclasses.dataclass(frozen=True)
class Deposited(_VaultEvent):
    pass


@dataclasses.dataclass(frozen=True)
class Locked(_VaultEvent):
    pass


@dataclasses.dataclass(frozen=True)
class Unlocked(_VaultEvent):
    pass


@dataclasses.dataclass(frozen=True)
class Slashed(_VaultEvent):
    pass


@dataclasses.dataclass(frozen=True)
class UnbondingStarted(_VaultEvent):
    ready_at: int


@dataclasses.dataclass(frozen=True)
class Withdrawn(_VaultEvent):
    pass


@dataclasses.dataclass(frozen=True)
class TrainersRecorded(Event):
    contract: ClassVar[str] = REPUTATION

    project: int
    round: int


@dataclasses.dataclass(frozen=True)
class AggregatorRecorded(Event):
    contract: ClassVar[str] = REPUTATION

    project: int
    round: int
    aggregator: Address
    fault: bool


@dataclasses.dataclass(frozen=True)
class CircuitRegistered(Event):
    contract: ClassVar[str] = GRAM_VERIFIER

    digest: bytes
    verifier: Address
    slots: int
    length: int


MARKET_EVENTS: tuple[type[Event], ...] = (
    ProjectCreated,
    TrainerJoined,
    TrainerLeft,
    AggregatorJoined,
    AggregatorLeft,
    RoundOpened,
    UpdateSubmitted,
    KeyResealed,
    ResultPosted,
    TrainerPaid,
    TrainerStruck,
    AggregatorTimedOut,
    RoundSkipped,
    ProjectEnded,
    Released,
    Claimed,
)
VAULT_EVENTS: tuple[type[Event], ...] = (Deposited, Locked, Unlocked, Slashed, UnbondingStarted, Withdrawn)
REPUTATION_EVENTS: tuple[type[Event], ...] = (TrainersRecorded, AggregatorRecorded)
GRAM_VERIFIER_EVENTS: tuple[type[Event], ...] = (CircuitRegistered,)

E = TypeVar("E", bound=Event)


class ResultCall(NamedTuple):
    """What a `postResult` transaction said."""

    project: int
    result: RoundResult


def fetch(
    client: MarketClient,
    types: Sequence[type[E]],
    project: int | None = None,
    round: int | None = None,
    from_block: int = 0,
    to_block: int | None = None,
) -> list[E]:
    """Events of the given types in blocks from_block..to_block (None: the newest), in the chain's order.

    `project` and `round` select by index; a type without such an index must not be asked for with it
    (ValueError). Raises CHAIN_UNREACHABLE, and INTEGRITY when the endpoint serves a log that is not what
    was asked for.
    """
    last = client.latest_block().number if to_block is None else to_block
    found: list[E] = []
    for contract in dict.fromkeys(kind.contract for kind in types):
        of_contract = [kind for kind in types if kind.contract == contract]
        topics = _topics(of_contract, project, round)
        by_topic = {_topic(kind): kind for kind in of_contract}
        where = _address_of(client, contract)
        for log in _logs(client.web3, where, topics, from_block, last):
            kind = by_topic.get(bytes(log["topics"][0])) if log["topics"] else None
            if kind is None or address(log["address"]) != where:
                raise FairshareError(
                    Reason.INTEGRITY,
                    "the chain endpoint served a log nobody asked for",
                    "use another endpoint",
                )
            found.append(_decode(kind, log))
    return sorted(found, key=lambda event: (event.block_number, event.log_index))


def decode_log(types: Iterable[type[Event]], log: LogReceipt) -> Event | None:
    """A receipt's log as an event of one of `types`; None when it is of another type."""
    by_topic = {_topic(kind): kind for kind in types}
    kind = by_topic.get(bytes(log["topics"][0])) if log["topics"] else None
    return None if kind is None else _decode(kind, log)


def decode_result_call(transaction_input: bytes) -> ResultCall:
    """Project and result that a transaction's input posted; INTEGRITY when it is no `postResult`."""
    try:
        function, arguments = _offline(MARKET).decode_function_input(transaction_input)
        if function.fn_name != "postResult":
            raise Web3ValueError(function.fn_name)
        fields = arguments["result"]
        values = tuple(fields.values()) if isinstance(fields, Mapping) else tuple(fields)
        return ResultCall(int(arguments["project"]), RoundResult.from_abi(values))
    except (Web3ValueError, MismatchedABI, DecodingError, OverflowError) as error:
        raise FairshareError(
            Reason.INTEGRITY,
            "the transaction that posted the result does not call postResult itself",
            "check the endpoint; a result posted through another contract cannot be audited yet",
        ) from error


def decode_result_calldata(transaction_input: bytes) -> RoundResult:
    """The result that a transaction's input posted; INTEGRITY when it is no `postResult`."""
    return decode_result_call(transaction_input).result


@functools.cache
def _offline(contract: str) -> Contract:
    """The contract's codec; it talks to no chain."""
    return contract_at(Web3(), contract, NATIVE_COIN)


def _abi(kind: type[Event]) -> Mapping[str, Any]:
    return abi_entry(kind.contract, "event", kind.__name__)


def _topic(kind: type[Event]) -> bytes:
    return bytes(event_abi_to_log_topic(_abi(kind)))  # type: ignore[arg-type]


def _topics(types: Sequence[type[Event]], project: int | None, round: int | None) -> list[Any]:
    """The log filter's topics: any of the types, then project and round where they are asked for."""
    wanted = [("project", project), ("round", round)]
    while wanted and wanted[-1][1] is None:
        wanted.pop()
    for kind in types:
        indexed = [parameter["name"] for parameter in _abi(kind)["inputs"] if parameter["indexed"]]
        for place, (name, value) in enumerate(wanted):
            if value is not None and indexed[place : place + 1] != [name]:
                raise ValueError(f"{kind.__name__} is not indexed by {name}")
    values = [None if value is None else "0x" + value.to_bytes(32, "big").hex() for _, value in wanted]
    return [["0x" + _topic(kind).hex() for kind in types], *values]


def _logs(
    web3: Web3, where: Address, topics: list[Any], from_block: int, to_block: int
) -> Iterable[LogReceipt]:
    """Logs in ranges of blocks that the endpoint is willing to serve."""
    start, span = from_block, _FIRST_SPAN
    while start <= to_block:
        end = min(start + span - 1, to_block)
        query = FilterParams(
            address=Web3.to_checksum_address(where), topics=topics, fromBlock=start, toBlock=end
        )
        with translated_errors("read events"):
            try:
                logs = web3.eth.get_logs(query)
            except Web3RPCError:
                if start == end:
                    raise
                span = max(1, (end - start + 1) // 2)
                continue
        yield from (log for log in logs if not log.get("removed"))
        start, span = end + 1, min(2 * span, _FIRST_SPAN)


def _decode(kind: type[E], log: LogReceipt) -> E:
    try:
        arguments = _offline(kind.contract).events[kind.__name__]().process_log(log)["args"]
    except (LogTopicError, MismatchedABI, DecodingError) as error:
        raise FairshareError(
            Reason.INTEGRITY, f"the chain endpoint served a malformed {kind.__name__}", "use another endpoint"
        ) from error
    values = {snake_case(name): value for name, value in arguments.items()}
    if "status" in values:
        values["status"] = Status(values["status"])
    return kind(
        block_number=int(log["blockNumber"]),
        transaction_hash=bytes(log["transactionHash"]),
        log_index=int(log["logIndex"]),
        **values,
    )


def _address_of(client: MarketClient, contract: str) -> Address:
    match contract:
        case "ITrainingMarket":
            return client.address
        case "IStakeVault":
            return client.vault.address
        case "IReputationRegistry":
            return address(client.reputation.address)
        case _:
            return address(client.gram_verifier.address)
