"""All events of a project: where they begin, and which of them a client need not ask for again."""

from __future__ import annotations

import bisect
from typing import Final

from marketplace.chain.client import MarketClient
from marketplace.chain.events.base import Event
from marketplace.chain.events.market import MARKET_EVENTS
from marketplace.chain.events.reading import read_events
from marketplace.chain.log_span import FIRST_SPAN
from marketplace.chain.memory import Past
from marketplace.errors import FairshareError, Reason

# Times the confirmations: some of an endpoint's machines may index logs a while after their blocks are final.
_SURE: Final = 4


def project_events(client: MarketClient, project: int, last: int) -> tuple[Event, ...]:
    """A project's events up to the block `last`, in the chain's order. Raises as `fetch`.

    Only those of blocks that nothing is expected to change any more are remembered; the others are read once a look.
    """
    look = client.look
    if look is not None and look.block == last and project in look.events:
        return look.events[project]
    before = client.memory.recall(project)
    through, known = before or Past(_first_block(client, project, last) - 1, ())
    if last <= through:
        return tuple(event for event in known if event.block_number <= last)
    found = (*known, *read_events(client, MARKET_EVENTS, project, None, through + 1, last))
    sure = max(through, last - _SURE * client.confirmations)
    if before is None or sure > through:
        past = Past(sure, tuple(event for event in found if event.block_number <= sure))
        client.memory.keep(project, past, before)
    if look is not None and look.block == last:
        look.events[project] = found
    return found


def _first_block(client: MarketClient, project: int, last: int) -> int:
    """No event of the project is in an older block: found by when it was posted, where that saves requests."""
    first = client.from_block
    if last - first < FIRST_SPAN:
        return first
    try:
        posted_at = client.project(project).join_deadline - client.terms(project).join_window
        newer = bisect.bisect_left(
            range(first, last), posted_at, key=lambda number: client.block(number).timestamp
        )
    except FairshareError as error:
        if error.reason is not Reason.NOT_FOUND:  # no such project; or headers so old are kept no longer
            raise
        return first
    return max(first, first + newer - _SURE * client.confirmations)  # it may be posted anew in an older block
