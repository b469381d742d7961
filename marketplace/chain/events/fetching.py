"""How events are fetched: from the chain, or in part from what the client remembers of a project's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from marketplace.chain.client import MarketClient
from marketplace.chain.contracts import MARKET
from marketplace.chain.events.base import Event
from marketplace.chain.events.project import project_events
from marketplace.chain.events.reading import read_events, topics_of

E = TypeVar("E", bound=Event)


def fetch(
    client: MarketClient,
    types: Sequence[type[E]],
    project: int | None = None,
    round: int | None = None,
    from_block: int | None = None,
    to_block: int | None = None,
) -> list[E]:
    """Events of the given types in the chain's order, in blocks from_block..to_block.

    `from_block` None: the client's `from_block`, older than which no event of its market is; `to_block`
    None: the newest. `project` and `round` select by index; a type without such an index must not be asked
    for with it (ValueError). Raises CHAIN_UNREACHABLE, and INTEGRITY when the endpoint serves a log that is
    not what was asked for.

    On a chain that needs confirmations a project's events from its first on are read once (`project_events`).
    """
    first = client.from_block if from_block is None else from_block
    last = client.latest_block().number if to_block is None else to_block
    of_market = all(kind.contract == MARKET for kind in types)
    if project is None or not of_market or first > client.from_block or not client.confirmations:
        return read_events(client, types, project, round, first, last)
    topics_of(types, project, round)  # refuses what has no such index
    wanted = tuple(types)
    found = [event for event in project_events(client, project, last) if isinstance(event, wanted)]
    return [event for event in found if round in (None, getattr(event, "round", None))]
