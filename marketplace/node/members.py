"""The encryption keys of a project's members: who joined with which, and whom a round's model is sealed to."""

from __future__ import annotations

from collections.abc import Iterable

from marketplace.chain.client import MarketClient
from marketplace.chain.events import (
    AggregatorJoined,
    AggregatorLeft,
    Event,
    RoundOpened,
    TrainerJoined,
    TrainerLeft,
    fetch,
)
from marketplace.chain.types import Address
from marketplace.node.lagging import lagging
from marketplace.updates.sealed_model import can_be_sealed_to

MEMBERSHIP: tuple[type[Event], ...] = (TrainerJoined, TrainerLeft, AggregatorJoined, AggregatorLeft)


def keys_of(events: Iterable[Event]) -> dict[Address, bytes]:
    """Members after these events (others are passed over) and their public keys, 32 bytes; in the chain's order."""
    members: dict[Address, bytes] = {}
    for event in events:
        if isinstance(event, TrainerJoined):
            members[event.trainer] = event.encryption_key
        elif isinstance(event, AggregatorJoined):
            members[event.aggregator] = event.encryption_key
        elif isinstance(event, TrainerLeft):
            members.pop(event.trainer, None)
        elif isinstance(event, AggregatorLeft):
            members.pop(event.aggregator, None)
    return members


def joined_with(client: MarketClient, project: int, account: Address) -> bytes | None:
    """The public key that a member joined a project with; None for one who is no member."""
    return keys_of(fetch(client, MEMBERSHIP, project)).get(account)


def recipients(members: Iterable[bytes], owner_key: bytes) -> tuple[bytes, ...]:
    """The public keys that a model is sealed to, ascending: the members' and the owner's, those that are keys."""
    return tuple(key for key in sorted({owner_key, *members}) if can_be_sealed_to(key))


def recipients_of_round(
    client: MarketClient, project: int, round_: int, owner_key: bytes
) -> tuple[bytes, ...]:
    """Whom the model that `round_` makes is sealed to: the members as of the block that the round opened in.

    Who joins later opens none of it, who left before neither. Raises UNAVAILABLE where the chain does not say.
    """
    opened = fetch(client, [RoundOpened], project, round_)
    if not opened:
        raise lagging(client, f"the endpoint does not serve how round {round_} of project {project} opened")
    then = fetch(client, MEMBERSHIP, project, to_block=opened[-1].block_number)
    return recipients(keys_of(then).values(), owner_key)
