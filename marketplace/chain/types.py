"""Python forms of the contracts' structs: the same names in snake_case, in the same order as the ABI."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NewType, Self

from web3 import Web3

from marketplace.protocol.krum import ScoreRule as ScoreRule
from zk.curve import Point

Address = NewType("Address", str)  # checksummed
NATIVE_COIN = Address("0x" + 40 * "0")  # the `token` that stands for the chain's own coin


def address(text: str) -> Address:
    """A checksummed address from any hex spelling; ValueError when it is none."""
    return Address(str(Web3.to_checksum_address(text)))


class Status(IntEnum):
    """State of a project."""

    NONE = 0
    OPEN = 1
    ACTIVE = 2
    SETTLED = 3
    CANCELLED = 4
    HALTED = 5


class AbiStruct:
    """A frozen dataclass whose fields stand in the ABI's order."""

    @classmethod
    def from_abi(cls, values: Sequence[Any]) -> Self:
        """From the tuple that a contract call returns."""
        fields = dataclasses.fields(cls)  # type: ignore[arg-type]
        if len(values) != len(fields):
            raise ValueError(f"{cls.__name__} has {len(fields)} fields, the contract returned {len(values)}")
        return cls(
            **{field.name: _from_abi(field.type, value) for field, value in zip(fields, values, strict=True)}
        )

    def to_abi(self) -> tuple[Any, ...]:
        """The tuple that a contract call takes."""
        values = (getattr(self, field.name) for field in dataclasses.fields(self))  # type: ignore[arg-type]
        return tuple(list(value) if type(value) is tuple else value for value in values)


def _from_abi(annotation: Any, value: Any) -> Any:
    match annotation:
        case "Point":
            return Point(*value)
        case "Status":
            return Status(value)
        case "ScoreRule":
            return ScoreRule(value)
        case "Address":
            return Address(value)
        case "bytes":
            return bytes(value)
        case "tuple[int, ...]":
            return tuple(value)
        case _:
            return value


@dataclasses.dataclass(frozen=True)
class Terms(AbiStruct):
    """What an owner fixes when it posts a project. Amounts: the token's smallest unit; windows: seconds."""

    token: Address
    reward: int
    trainer_stake: int
    aggregator_bond: int
    aggregator_fee: int
    spec: bytes  # 32: sha2-256 digest of the spec's CIDv0
    circuit: bytes  # 32
    slots: int
    faults: int
    rounds: int
    join_window: int
    submit_window: int
    result_window: int
    score_rule: ScoreRule
    strike_factor: int  # hundredths of the median Krum score; 0: no strikes by score
    strike_slash: int  # basis points of the stake
    duplicate_cosine: int  # basis points; 0: no near-duplicate rule
    max_norm_squared: int
    initial_model: Point


@dataclasses.dataclass(frozen=True)
class Project(AbiStruct):
    """A project's state. Deadlines are block timestamps in seconds, masks have a bit for each slot."""

    owner: Address
    status: Status
    round: int
    trainer_count: int
    aggregator_count: int
    aggregator_index: int
    submitted_count: int
    join_deadline: int
    submit_deadline: int
    result_deadline: int
    occupied: int
    submitted: int
    escrow: int
    pot: int
    model: Point


@dataclasses.dataclass(frozen=True)
class RoundResult(AbiStruct):
    """The result of a round, as its aggregator posts it."""

    round: int
    omitted: int
    merged: int
    median_score_slot: int
    median_norm_slot: int
    model: bytes  # 32
    neighbours: tuple[int, ...]
    gram: tuple[int, ...]  # upper triangle, field elements
    proof: bytes


@dataclasses.dataclass(frozen=True)
class Circuit(AbiStruct):
    """A circuit of shape (slots, length) and the contract that verifies its proofs."""

    verifier: Address
    slots: int
    length: int
    proof_length: int  # bytes
    zero: Point


@dataclasses.dataclass(frozen=True)
class Record(AbiStruct):
    """Track record of an address over all projects."""

    rounds: int
    merged: int
    faults: int
    contribution: int  # millionths of a whole round


@dataclasses.dataclass(frozen=True)
class Submission:
    """What the chain keeps of a slot's submission in a round."""

    digest: bytes  # first 31 bytes of keccak256(x, y)
    position: int  # order of submission, from 1


@dataclasses.dataclass(frozen=True)
class Unbonding:
    """Stake on its way out of the vault."""

    amount: int
    ready_at: int  # block timestamp, seconds


@dataclasses.dataclass(frozen=True)
class Block:
    """A block's header, as far as it is needed."""

    number: int
    timestamp: int  # seconds
    hash: bytes
