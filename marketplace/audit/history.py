"""Everything the chain says about a project up to one block, read once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from marketplace.audit.calls import find_result
from marketplace.audit.report import MALFORMED
from marketplace.chain import events
from marketplace.chain.client import MarketClient
from marketplace.chain.events import Event, ResultPosted
from marketplace.chain.types import Address, Block, Circuit, Project, RoundResult, Terms
from marketplace.errors import FairshareError, Reason

PROJECT_EVENTS = tuple(kind for kind in events.MARKET_EVENTS if kind is not events.Claimed)

E = TypeVar("E", bound=Event)
Progress = Callable[[str], None]


@dataclass(frozen=True)
class History:
    """A project at `block`. Nothing in it has been checked.

    `events`: the market's events of this project; `reputation`: the registry's; both in the chain's order.
    `results`: by transaction and round of a ResultPosted, what its calldata said, or why that cannot be told.
    `times`: timestamps in seconds, by the number of each block that holds one of the events.
    """

    chain_id: int
    market: Address
    project: int
    block: Block
    terms: Terms
    state: Project
    circuit: Circuit | None  # None where none is registered under the terms' digest
    trainers: tuple[Address, ...]  # by slot, at the block
    aggregators: tuple[Address, ...]
    events: tuple[Event, ...]
    reputation: tuple[Event, ...]
    results: Mapping[tuple[bytes, int], RoundResult | str]
    times: Mapping[int, int]

    def of(self, kind: type[E]) -> list[E]:
        """The project's events of one type."""
        return [event for event in self.events if isinstance(event, kind)]


def read_history(
    client: MarketClient,
    project: int,
    *,
    block: int | None = None,
    from_block: int = 0,
    on_progress: Progress | None = None,
) -> History:
    """Reads a project's history up to `block` (None: the newest).

    No event of the market may be older than `from_block`. Raises NOT_FOUND for an unknown project,
    CHAIN_UNREACHABLE, and INTEGRITY where the endpoint serves what cannot be read, or changes its mind about
    the block.
    """
    pinned = client.latest_block() if block is None else client.block(block)
    try:
        history = _read(client, project, pinned, from_block, on_progress or (lambda step: None))
    except MALFORMED as error:
        raise FairshareError(
            Reason.INTEGRITY,
            f"the endpoint served what cannot be read: {type(error).__name__}: {error}"[:300],
            "use another endpoint",
        ) from error
    if client.block(pinned.number).hash != pinned.hash:
        raise FairshareError(
            Reason.CHAIN_UNREACHABLE, f"the chain changed at block {pinned.number} meanwhile", "try again"
        )
    return history


def _read(
    client: MarketClient, project: int, block: Block, from_block: int, on_progress: Progress
) -> History:
    at = block.number
    state, terms = client.project(project, block=at), client.terms(project, block=at)
    on_progress("reading events")
    market = events.fetch(client, PROJECT_EVENTS, project, from_block=from_block, to_block=at)
    reputation = events.fetch(client, events.REPUTATION_EVENTS, project, from_block=from_block, to_block=at)
    on_progress("reading transactions")
    return History(
        chain_id=client.chain_id,
        market=client.address,
        project=project,
        block=block,
        terms=terms,
        state=state,
        circuit=_circuit(client, terms, at),
        trainers=client.trainers(project, block=at),
        aggregators=client.aggregators(project, block=at),
        events=tuple(market),
        reputation=tuple(reputation),
        results={
            (event.transaction_hash, event.round): _result(client, event)
            for event in market
            if isinstance(event, ResultPosted)
        },
        times={number: client.block(number).timestamp for number in {event.block_number for event in market}},
    )


def _circuit(client: MarketClient, terms: Terms, block: int) -> Circuit | None:
    try:
        return client.circuit(terms.circuit, block=block)
    except FairshareError as error:
        if error.reason is not Reason.NOT_FOUND:
            raise
        return None


def _result(client: MarketClient, event: ResultPosted) -> RoundResult | str:
    try:
        return find_result(client.transaction_input(event.transaction_hash), event.project, event.round)
    except FairshareError as error:
        if error.reason is Reason.CHAIN_UNREACHABLE:
            raise
        return error.message
