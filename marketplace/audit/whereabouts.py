"""Where on chain something that is explained can be looked up."""

from __future__ import annotations

from dataclasses import dataclass

from marketplace.chain.events import Event


@dataclass(frozen=True)
class Place:
    """Where something stands on chain."""

    block: int
    transaction: str  # 0x-hex


def place_of_event(event: Event) -> Place:
    """Where an event stands."""
    return Place(event.block_number, "0x" + event.transaction_hash.hex())
