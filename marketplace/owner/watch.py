"""Keeps an owner's project alive: its files served, overdue moves made, every round's model fetched and scored."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from marketplace.chain.events import (
    AggregatorJoined,
    AggregatorTimedOut,
    Event,
    ProjectEnded,
    ResultPosted,
    RoundOpened,
    RoundSkipped,
    TrainerJoined,
    TrainerPaid,
    TrainerStruck,
    UpdateSubmitted,
    fetch,
)
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import Status
from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset
from marketplace.learning.evaluate import accuracy
from marketplace.node.clock import ChainClock
from marketplace.node.logging import Logger
from marketplace.node.membership import move_on
from marketplace.node.peers import PeerBook
from marketplace.node.project import ProjectContext
from marketplace.storage.cid import from_digest
from zk.curve import Point

WATCHED: tuple[type[Event], ...] = (
    TrainerJoined,
    AggregatorJoined,
    RoundOpened,
    UpdateSubmitted,
    ResultPosted,
    RoundSkipped,
    TrainerPaid,
    TrainerStruck,
    AggregatorTimedOut,
    ProjectEnded,
)
PATIENCE_S = 5  # before the owner makes a move that anyone may make
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
    """One owner's watch over one project. `sender` None: only look."""

    context: ProjectContext
    clock: ChainClock
    peers: PeerBook
    sender: TransactionSender | None
    evaluation: Dataset | None
    stop: threading.Event
    log: Logger
    on_event: Callable[[Event], None]
    on_model: Callable[[RoundModel], None]
    next_block: int = 0

    def step(self) -> bool:
        """Waits for a block and does what it calls for; False when the project is over."""
        block = self.clock.wait_for_block()
        if block is None:
            return True
        project = self.context.client.project(self.context.project, block=block.number)
        for event in self._events(block.number):
            self.on_event(event)
            if isinstance(event, ResultPosted):
                self.on_model(self._model(event))
        self.next_block = block.number + 1
        if project.status in OVER:
            return False
        if self.sender is not None:
            move_on(self.context, self.sender, project, block, self.log, patience_s=PATIENCE_S)
        return True

    def _events(self, to_block: int) -> Iterator[Event]:
        yield from fetch(
            self.context.client,
            WATCHED,
            self.context.project,
            from_block=self.next_block,
            to_block=to_block,
        )

    def _model(self, result: ResultPosted) -> RoundModel:
        """Fetches a round's model, so that this node serves it too, and scores it."""
        cid = from_digest(result.model)
        try:
            self.peers.connect_to(self._index_of(result))
            model = self.context.fetch_model(cid, Point(result.x, result.y), _MODEL_S)
            self.context.store.pin(cid)
        except FairshareError as error:
            if error.reason not in (Reason.UNAVAILABLE, Reason.INTEGRITY, Reason.NOT_FOUND):
                raise
            return RoundModel(result.round, cid, None, error.message)
        if self.evaluation is None:
            return RoundModel(result.round, cid, None)
        scored = accuracy(self.context.task, self.context.weights(model), self.evaluation)
        return RoundModel(result.round, cid, scored)

    def _index_of(self, result: ResultPosted) -> int:
        index = self.context.client.aggregator_index_of(self.context.project, result.aggregator)
        if index is None:
            raise FairshareError(Reason.NOT_FOUND, f"aggregator {result.aggregator} has left", "ask it")
        return index
