"""Aggregators' daemons beside the trainers', on a market that is stepped by hand (`stepped_market`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from aggregator.behaviour import Attack
from aggregator.duty import Duty
from aggregator.intake import Intake, Market
from aggregator.listening import listening
from marketplace.chain.types import Block, Project
from marketplace.errors import FairshareError, Reason
from marketplace.node import logging
from marketplace.node.journal import Journal
from marketplace.node.peers import PeerBook
from tests.support.stepped_market import AGGREGATORS, CONTACT, Ground, Play, PollingClock, play
from trainer_node.behaviour import Attack as TrainerAttack

OFTEN, STRIDE_S = 100, 40  # steps in which anything that is due happens, and the time between them


@dataclass
class Served:
    """A play whose aggregators are daemons."""

    play: Play
    attacks: Mapping[int, Attack]
    listens: bool
    stack: ExitStack
    duties: dict[int, Duty] = field(default_factory=dict)
    _members: dict[int, ExitStack] = field(default_factory=dict)

    @property
    def state(self) -> Project:
        return self.play.state

    def add(self, index: int) -> Duty:
        """Starts aggregator `index`'s node, or starts it again with its journal."""
        self.stop(index)
        hand = self.play.aggregators[index]
        members = self.stack.enter_context(ExitStack())
        folder = self.play.ground.folder / f"account-{AGGREGATORS[index]}"
        journal = members.enter_context(Journal(folder / f"duty-{self.play.project}.sqlite"))
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
            context=hand.context,
            sender=hand.sender,
            journal=journal,
            clock=clock,
            key=hand.key,
            peers=PeerBook(hand.context, log),
            log=log,
            contact=CONTACT.decode(),
            attack=self.attacks.get(index),
            url=url,
            desk=desk,
        )
        return self.duties[index]

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

    def until(self, done: Callable[[], bool]) -> None:
        """Steps until something is so, or the project is over."""
        for _ in range(OFTEN):
            if done() or not self.step(self.play.client.latest_block().timestamp + STRIDE_S):
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
    **changes: object,
) -> Iterator[Served]:
    """A posted project, its members' nodes ready."""
    with play(ground, attacks=trainer_attacks, **changes) as game, ExitStack() as stack:  # type: ignore[arg-type]
        made = Served(game, attacks or {}, listens, stack)
        for index in range(len(AGGREGATORS)):
            made.add(index)
        yield made
