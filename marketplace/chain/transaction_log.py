"""What a sender must have on disk before it broadcasts, and where it reads it again after a crash."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol


@dataclasses.dataclass(frozen=True)
class SignedTransaction:
    """A signed transaction of an intent, exactly as it goes to the chain."""

    intent: str
    chain_id: int
    sender: str
    nonce: int
    hash: bytes  # 32
    raw: bytes
    signed_at_block: int


@dataclasses.dataclass(frozen=True)
class Mined:
    """A transaction in a block. `gas_price`: wei paid for a unit of gas."""

    succeeded: bool
    block_number: int
    gas_used: int
    gas_price: int

    @property
    def cost(self) -> int:
        """Wei paid for gas."""
        return self.gas_used * self.gas_price


@dataclasses.dataclass(frozen=True)
class MinedTransaction:
    """A transaction that was mined, as it was seen last: a reorganisation may take it out of its block again."""

    transaction: SignedTransaction
    block: int
    cost: int  # wei, for gas


class TransactionLog(Protocol):
    """Durable, ordered record of signed transactions by chain, sender and intent, and of what was mined of them."""

    def append_transaction(self, transaction: SignedTransaction) -> None:
        """Returns only once the record survives a crash of the machine."""

    def transactions(self, chain_id: int, sender: str, intent: str) -> Sequence[SignedTransaction]:
        """All ever signed for an intent, oldest first."""

    def transactions_from_nonce(self, chain_id: int, sender: str, nonce: int) -> Sequence[SignedTransaction]:
        """The newest signed for each nonce from `nonce` on, by nonce."""

    def note_mined(self, hash: bytes, mined: Mined, project: int | None, *, final: bool) -> None:
        """What became of a logged transaction of `project`, in place of what was noted before.

        What is `final` is not asked about again.
        """

    def forget_mined(self, hash: bytes) -> None:
        """It is in no block any more, and never will be."""

    def unnoted(self, chain_id: int, sender: str, below: int) -> Sequence[SignedTransaction]:
        """The newest transactions of nonces below `below` of which none was noted as mined; 64 at most."""

    def unsettled(self, chain_id: int, sender: str) -> Sequence[MinedTransaction]:
        """What was mined and is not final, by nonce."""

    def spent(self, chain_id: int, sender: str, project: int) -> int:
        """Wei that a project's transactions have cost in gas."""
