"""Follows a project: its events in order, every round's model fetched and scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from marketplace.chain.events import (
    AggregatorJoined,
    AggregatorTimedOut,
    Challenged,
    Event,
    ProjectEnded,
    ReferenceSubmitted,
    ResultPosted,
    RoundOpened,
    RoundSkipped,
    RoundUndone,
    TrainerJoined,
    TrainerStruck,
    UpdatesComplained,
    UpdateSubmitted,
    UpdateWithheld,
    ValidationRevealed,
    fetch,
)
from marketplace.chain.types import Block, Project, Status
from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset
from marketplace.learning.evaluate import accuracy
from marketplace.node.clock import ChainClock
from marketplace.node.models import ModelReference, fetch_reference, keep_model
from marketplace.node.peers import PeerBook
from marketplace.node.project import ProjectContext
from marketplace.node.reorganisation import on_chain
from marketplace.storage.cid import from_digest
from zk.curve import Point

WATCHED: tuple[type[Event], ...] = (
    TrainerJoined,
    AggregatorJoined,
    RoundOpened,
    UpdateSubmitted,
    ReferenceSubmitted,
    UpdatesComplained,
    UpdateWithheld,
    ResultPosted,
    RoundSkipped,
    TrainerStruck,
    AggregatorTimedOut,
    Challenged,
    RoundUndone,
    ValidationRevealed,
    ProjectEnded,
)
_MODEL_S = 20.0

OVER = frozenset({Status.SETTLED, Status.CANCELLED, Status.HALTED})


@dataclass
class RoundModel:
    """A round's published model as the owner found it."""

    round: int
    cid: str
    accuracy: float | None  # None: no evaluation set here
    problem: str = ""  # why it could not be had


@dataclass
class Watch:
    """One look at one project after another; nothing is signed."""

    context: ProjectContext
    clock: ChainClock
    peers: PeerBook
    evaluation: Dataset | None
    on_event: Callable[[Event], None]
    on_model: Callable[[RoundModel], None]
    next_block: int = 0
    _followed: list[Block] = field(default_factory=list)  # those that may still be reorganised away

    def step(self) -> bool:
        """Waits for a block and says what is new; False when the project is over."""
        seen = self.wait()
        if seen is None:
            return True
        self.follow(seen[1])
        return seen[0].status not in OVER

    def wait(self) -> tuple[Project, Block] | None:
        """The next block and the project at it; None when stopped."""
        block = self.clock.wait_for_block()
        if block is None:
            return None
        return self.context.client.project(self.context.project, block=block.number), block

    def follow(self, block: Block) -> None:
        """Says what is new up to `block`; what a reorganisation has put in place of blocks followed before is new."""
        client = self.context.client
        while self._followed and not on_chain(client, self._followed[-1]):
            self.next_block = self._followed.pop().number
        if self._followed:
            self.next_block = min(self.next_block, self._followed[-1].number + 1)
        for event in self._events(block.number):
            self.on_event(event)
            if isinstance(event, ResultPosted) and event.merged:
                self.on_model(self._model(event))
        self.next_block = block.number + 1
        if client.confirmations:
            self._followed = [*self._followed, block][-client.confirmations :]

    def _events(self, to_block: int) -> Iterator[Event]:
        yield from fetch(
            self.context.client,
            WATCHED,
            self.context.project,
            from_block=self.next_block or None,
            to_block=to_block,
        )

    def _model(self, result: ResultPosted) -> RoundModel:
        """Fetches a round's model, so that this node serves it too, and scores it."""
        cid = from_digest(result.model)
        try:
            self.peers.connect_to(self._index_of(result))
            reference = ModelReference(result.round, cid, Point(result.x, result.y))
            model = fetch_reference(self.context, reference, _MODEL_S)
            keep_model(self.context, reference, _MODEL_S)
        except FairshareError as error:
            if error.reason not in (Reason.UNAVAILABLE, Reason.INTEGRITY, Reason.NOT_FOUND):
                raise
            return RoundModel(result.round, cid, None, error.message)
        if self.evaluation is None:
            return RoundModel(result.round, cid, None)
        scored = accuracy(self.context.task, self.context.weights(model), self.evaluation)
        return RoundModel(result.round, cid, scored)

    def _index_of(self, result: ResultPosted) -> int:
        member = self.context.client.membership(self.context.project, result.aggregator)
        index = member.aggregator_index
        if index is None:
            raise FairshareError(Reason.NOT_FOUND, f"aggregator {result.aggregator} has left", "ask it")
        return index
