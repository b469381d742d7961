"""Everything the chain says about a project up to one block, read once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from marketplace.audit.calls import ProofAnswer
from marketplace.audit.report import MALFORMED
from marketplace.audit.sketch_calls import Place, SketchCalls
from marketplace.audit.spoken import read_calls
from marketplace.chain import events
from marketplace.chain.client import MarketClient
from marketplace.chain.events import DrawScheduled, Event, SketchDrawn
from marketplace.chain.types import (
    Account,
    Address,
    Arrivals,
    Block,
    Circuit,
    Project,
    RoundResult,
    Terms,
)
from marketplace.errors import FairshareError, Reason

PROJECT_EVENTS = events.MARKET_EVENTS
RECENT_BLOCKS = 256  # whose hashes a contract can read

E = TypeVar("E", bound=Event)
Progress = Callable[[str], None]


@dataclass(frozen=True)
class History:
    """A project at `block`. Nothing in it has been checked.

    `events`: the market's events of this project; `reputation`: the registry's; both in the chain's order.
    `results`, `complaints`: what the calldata of a ResultPosted and an UpdatesComplained said, or why that cannot be
    told; `proofs`: likewise, of a ChallengeAnswered, by transaction; `sketch`: of the sketch path's other events.
    `times`: timestamps in seconds, by the number of each block that holds one of the events; `hashes`: of the blocks
    that seeds were drawn from.
    """

    chain_id: int
    market: Address
    project: int
    block: Block
    terms: Terms
    state: Project
    circuit: Circuit | None  # None where none is registered under the terms' digest
    trainers: tuple[Account, ...]  # by number, at the block
    aggregators: tuple[Account, ...]
    events: tuple[Event, ...]
    reputation: tuple[Event, ...]
    results: Mapping[Place, RoundResult | str]
    complaints: Mapping[Place, Arrivals | str]
    proofs: Mapping[bytes, ProofAnswer | str]
    times: Mapping[int, int]
    hashes: Mapping[int, bytes]
    sketch: SketchCalls = field(default_factory=SketchCalls)

    def of(self, kind: type[E]) -> list[E]:
        """The project's events of one type."""
        return [event for event in self.events if isinstance(event, kind)]


def read_history(
    client: MarketClient,
    project: int,
    *,
    block: int | None = None,
    from_block: int | None = None,
    on_progress: Progress | None = None,
) -> History:
    """Reads a project's history up to `block` (None: the newest).

    No event of the market may be older than `from_block` (None: than the client's). Raises NOT_FOUND for an unknown
    project, CHAIN_UNREACHABLE, and INTEGRITY where the endpoint serves what cannot be read, or changes its mind about
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
    client: MarketClient, project: int, block: Block, from_block: int | None, on_progress: Progress
) -> History:
    at = block.number
    state, terms = client.project(project, block=at), client.terms(project, block=at)
    on_progress("reading events")
    market = events.fetch(client, PROJECT_EVENTS, project, from_block=from_block, to_block=at)
    reputation = events.fetch(client, events.REPUTATION_EVENTS, project, from_block=from_block, to_block=at)
    on_progress("reading transactions")
    spoken = read_calls(client, market, sketched=terms.chunks != 0)
    drawn_from = {event.seed_block for event in market if isinstance(event, DrawScheduled)}
    drawn_from |= {event.block_number - 1 for event in market if isinstance(event, SketchDrawn)}
    return History(
        chain_id=client.chain_id,
        market=client.address,
        project=project,
        block=block,
        terms=terms,
        state=state,
        circuit=_circuit(client, terms, at),
        trainers=client.trainer_accounts(project, block=at),
        aggregators=client.aggregators(project, block=at),
        events=tuple(market),
        reputation=tuple(reputation),
        results=spoken.results,
        complaints=spoken.complaints,
        proofs=spoken.proofs,
        times={number: client.block(number).timestamp for number in {event.block_number for event in market}},
        hashes={number: client.block(number).hash for number in drawn_from if number <= at},
        sketch=spoken.sketch,
    )


def _circuit(client: MarketClient, terms: Terms, block: int) -> Circuit | None:
    try:
        return client.circuit(terms.circuit, block=block)
    except FairshareError as error:
        if error.reason is not Reason.NOT_FOUND:
            raise
        return None
