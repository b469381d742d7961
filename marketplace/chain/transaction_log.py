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


class TransactionLog(Protocol):
    """Durable, ordered record of signed transactions by chain, sender and intent."""

    def append_transaction(self, transaction: SignedTransaction) -> None:
        """Returns only once the record survives a crash of the machine."""

    def transactions(self, chain_id: int, sender: str, intent: str) -> Sequence[SignedTransaction]:
        """All ever signed for an intent, oldest first."""

    def transactions_from_nonce(self, chain_id: int, sender: str, nonce: int) -> Sequence[SignedTransaction]:
        """The newest signed for each nonce from `nonce` on, by nonce."""
