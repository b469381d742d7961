"""What every event has: its contract, and where it stands in the chain."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from marketplace.chain.contracts import MARKET


@dataclasses.dataclass(frozen=True)
class Event:
    """Where an event stands in the chain. Fields of the subclasses are the event's own, in snake_case."""

    contract: ClassVar[str] = MARKET

    block_number: int
    transaction_hash: bytes
    log_index: int
