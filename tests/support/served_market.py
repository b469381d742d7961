"""Aggregators' daemons beside the trainers', on a market that is stepped by hand (`stepped_market`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

import pytest

from aggregator import turn
from aggregator.behaviour import Attack
from aggregator.duty import Duty
from aggregator.intake import Intake
from aggregator.listening import listening
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import Address, Block, Project, Status, address
from marketplace.errors import FairshareError, Reason
from marketplace.node import logging
from marketplace.node.journal import Journal
from marketplace.node.peers import PeerBook
from marketplace.node.previews import Market
from marketplace.storage.reasons import Why
from tests.support.stepped_market import (
    AGGREGATORS,
    CONTACT,
    SLOTS,
    Ground,
    Play,
    PollingClock,
    Shelf,
    play,
)
from trainer_node.behaviour import Attack as TrainerAttack

OFTEN, STRIDE_S = 100, 80  # steps in which anything that is due happens, and the time between them


class OwnShelf(Shelf):
    """A node's own storage beside the shelf that everybody reads; `private`: nobody else reads what it adds."""

    def __init__(self, common: Shelf, private: bool) -> None:
        super().__init__()
        self.common, self.private = common, private

    def add(self, data: bytes, why: Why | None = None) -> str:
        if not self.private:
            self.common.add(data)
        return super().add(data, why)

    def fetch(self, cid: str, *, max_bytes: int, timeout_s: float) -> bytes:
        shelf = super() if cid in self.blobs else self.common
        return shelf.fetch(cid, max_bytes=max_bytes, timeout_s=timeout_s)


@dataclass
class Served:
    """A play whose aggregators are daemons. `private`: those whose storage nobody reaches."""

    play: Play
    attacks: Mapping[int, Attack]
    listens: bool
    private: Set[int]
    stack: ExitStack
    journals: type[Journal] = Journal
    duties: dict[int, Duty] = field(default_factory=dict)
    _members: dict[int, ExitStack] = field(default_factory=dict)
    _shelves: dict[int, OwnShelf] = field(default_factory=dict)

    @property
    def state(self) -> Project:
        return self.play.state

    def add(self, index: int) -> Duty:
        """Starts aggregator `index`'s node, or starts it again with its journal."""
        self.stop(index)
        hand = self.play.aggregators[index]
        members = self.stack.enter_context(ExitStack())
        folder = self.play.ground.folder / f"account-{AGGREGATORS[index]}"
        journal = members.enter_context(self.journals(folder / f"duty-{self.play.project}.sqlite"))
        sender = members.enter_context(
            TransactionSender(
                hand.client,
                hand.sender.account,
                journal,
                lock_directory=self.play.ground.folder / "locks",
                poll_s=0.01,
            )
        )
        store = self._shelves.setdefault(index, OwnShelf(self.play.ground.store, index in self.private))
        context = replace(hand.context, store=store)  # type: ignore[arg-type]
        log = logging.logger(aggregator=index)
        clock = members.enter_context(PollingClock(hand.client, poll_s=0.01))
        url = desk = None
        if self.listens:
            market = Market(hand.client.chain_id, hand.client.address)
            intake = Intake(market, journal, hand.sender.account)
            url = f"http://127.0.0.1:{members.enter_context(listening(intake, '127.0.0.1', 0))}"
            desk = intake.desk(self.play.project)
        self._members[index] = members
        self.duties[index] = Duty(
            context=context,
            sender=sender,
            journal=journal,
            clock=clock,
            key=hand.key,
            peers=PeerBook(context, log),
            log=log,
            contact=CONTACT.decode(),
            attack=self.attacks.get(index),
            url=url,
            desk=desk,
        )
        return self.duties[index]

    def address(self, index: int) -> Address:
        """Aggregator `index`'s."""
        return address(self.play.aggregators[index].sender.address)

    def start(self) -> None:
        """Everybody joins, and round 1 opens."""
        self.until(lambda: self.state.status is Status.ACTIVE, stride_s=0)

    def stop(self, index: int) -> None:
        """Ends aggregator `index`'s node."""
        if index in self._members:
            self._members.pop(index).close()
            del self.duties[index]

    def step(self, timestamp: int = 0) -> bool:
        """The aggregators, then the trainers, look at a new block; False once the project is over for all."""
        goes_on = [self.look(duty, timestamp) for duty in list(self.duties.values())]
        if not any(goes_on):
            return False
        self.play.step(timestamp)
        return True

    def look(self, duty: Duty, timestamp: int = 0) -> bool:
        """One aggregator looks at a new block. What storage lacks is what tests are about."""
        self.play.at(timestamp)
        try:
            return duty.step()
        except FairshareError as error:
            if error.reason is not Reason.UNAVAILABLE:
                raise
            return True

    def at(self, timestamp: int) -> Block:
        return self.play.at(timestamp)

    def until(self, done: Callable[[], object], stride_s: int = STRIDE_S) -> None:
        """Steps until something is so, or the project is over."""
        for _ in range(OFTEN):
            if done() or not self.step(self.play.client.latest_block().timestamp + stride_s):
                return
        raise AssertionError(f"it did not happen: {self.state}")

    def until_round(self, round_: int) -> None:
        """Until this round is under way, or the project is over."""
        self.until(lambda: self.state.round >= round_)

    def to_the_end(self) -> None:
        """Until the project is over for everybody."""
        self.until(lambda: False)


@contextmanager
def served(
    ground: Ground,
    *,
    attacks: Mapping[int, Attack] | None = None,
    trainer_attacks: Mapping[int, TrainerAttack] | None = None,
    listens: bool = False,
    private: Set[int] = frozenset(),
    trainers: int = SLOTS,
    demand_rate: float = 0.0,
    **changes: object,
) -> Iterator[Served]:
    """A posted project, its members' nodes ready."""
    with (
        play(ground, trainers=trainers, attacks=trainer_attacks, demand_rate=demand_rate, **changes) as game,
        ExitStack() as stack,
        pytest.MonkeyPatch.context() as patched,
    ):
        patched.setattr(turn, "SERVED_AFTER_S", 0.0)  # who is stepped by hand races with nobody
        made = Served(game, attacks or {}, listens, private, stack)
        for index in range(len(AGGREGATORS)):
            made.add(index)
        yield made
