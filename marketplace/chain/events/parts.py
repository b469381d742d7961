"""Events of the contracts around the market: stake vault, reputation registry, GramVerifier."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from marketplace.chain.contracts import GRAM_VERIFIER, REPUTATION, VAULT
from marketplace.chain.events.base import Event
from marketplace.chain.types import Address


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
class Transferred(Event):
    contract: ClassVar[str] = VAULT

    token: Address
    from_: Address
    to: Address
    amount: int


@dataclasses.dataclass(frozen=True)
class UnbondingStarted(_VaultEvent):
    ready_at: int


@dataclasses.dataclass(frozen=True)
class Withdrawn(_VaultEvent):
    pass


@dataclasses.dataclass(frozen=True)
class PaidShort(_VaultEvent):
    paid: int


@dataclasses.dataclass(frozen=True)
class TrainerRecorded(Event):
    contract: ClassVar[str] = REPUTATION

    project: int
    trainer: Address
    contribution: int  # millionths of a whole round


@dataclasses.dataclass(frozen=True)
class AggregatorRecorded(Event):
    contract: ClassVar[str] = REPUTATION

    project: int
    aggregator: Address
    rounds: int


@dataclasses.dataclass(frozen=True)
class FaultRecorded(Event):
    contract: ClassVar[str] = REPUTATION

    project: int
    account: Address
    as_aggregator: bool


@dataclasses.dataclass(frozen=True)
class CircuitRegistered(Event):
    contract: ClassVar[str] = GRAM_VERIFIER

    digest: bytes
    verifier: Address
    slots: int
    length: int


VAULT_EVENTS: tuple[type[Event], ...] = (
    Deposited,
    Locked,
    Unlocked,
    Slashed,
    Transferred,
    UnbondingStarted,
    Withdrawn,
    PaidShort,
)
REPUTATION_EVENTS: tuple[type[Event], ...] = (TrainerRecorded, AggregatorRecorded, FaultRecorded)
GRAM_VERIFIER_EVENTS: tuple[type[Event], ...] = (CircuitRegistered,)
