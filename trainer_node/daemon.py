"""The trainer's daemon for one project: it acts on the chain's state and deadlines, one block at a time."""

from __future__ import annotations

from dataclasses import dataclass

from marketplace.chain.events import AggregatorJoined, UpdateSubmitted, fetch
from marketplace.chain.types import Block, Project
from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.membership import RACES, move_on
from marketplace.node.models import fetch_current
from marketplace.node.stake import ensure_free_stake
from marketplace.storage.cid import digest_of, from_digest
from marketplace.updates.envelope import reseal
from trainer_node.behaviour import Behaviour
from trainer_node.prepared import SERVED, Prepared
from trainer_node.work import prepare
from zk.curve import Point

JOINS = "joins"  # journal: how often this node has left, so that each joining is an effect of its own
PATIENCE_S = 10  # before a trainer makes a move that anyone may make; aggregators are paid to be first
PATIENCE_PER_SLOT_S = 2
MODEL_S = 15.0  # for one attempt at fetching the global model


@dataclass
class TrainerDaemon(ProjectDaemon):
    """A trainer at work in one project."""

    dataset: Dataset
    seed: int
    device: str
    behaviour: Behaviour

    def _open(self, project: Project, block: Block) -> None:
        if self._slot(block) is None:
            if block.timestamp >= project.join_deadline:
                raise FairshareError(Reason.DEADLINE_PASSED, "the time for joining this project is over")
            self._join(project)
        move_on(self.context, self.sender, project, block, self.log, patience_s=PATIENCE_S)

    def _join(self, project: Project) -> None:
        context, number = self.context, self.context.project
        if project.trainer_count == context.terms.slots:
            raise FairshareError(Reason.REFUSED, "every slot of this project is taken", "look for another")
        intent = f"join:{number}:{self.journal.get(number, 0, JOINS, 0)}"
        ensure_free_stake(
            context.client, self.sender, context.terms.token, context.terms.trainer_stake, "join", intent
        )
        self.sender.send(intent, context.client.market.functions.join(number, self.key.public))
        self.log.info("joined", slot=context.client.slot_of(number, self.sender.address))
        import torch  # noqa: F401  loaded while there is time, not in the first round's window

    def _active(self, project: Project, block: Block) -> None:
        slot = self._slot(block)
        if slot is None:
            raise FairshareError(
                Reason.REFUSED,
                "this account is no member of the project, which has started",
                "look for another",
            )
        self._serve(project, block)
        if block.timestamp < project.submit_deadline:
            if not project.submitted >> slot & 1 and self.behaviour.submits:
                self._submit(project, block)
            return
        prepared = Prepared.recall(self.journal, self.context.project, project.round)
        if prepared is not None and project.submitted >> slot & 1:
            self.peers.connect_to(project.aggregator_index)
            self._reseal(project, prepared)
        patience = PATIENCE_S + PATIENCE_PER_SLOT_S * slot
        move_on(self.context, self.sender, project, block, self.log, patience_s=patience)

    def _place(self) -> int | None:
        return self.context.client.slot_of(self.context.project, self.sender.address)

    def _slot(self, block: Block) -> int | None:
        return self.context.client.slot_of(self.context.project, self.sender.address, block=block.number)

    def _submit(self, project: Project, block: Block) -> None:
        number = self.context.project
        prepared = Prepared.recall(self.journal, number, project.round)
        if prepared is None:
            prepared = self._borrowed(project, block) if self.behaviour.copies else self._own(project, block)
            if prepared is None:
                return
            prepared.keep(self.journal, number)
        x, y = prepared.commitment
        call = self.context.client.market.functions.submit(
            number, project.round, x, y, digest_of(prepared.cid)
        )
        try:
            self.sender.send(f"submit:{number}:{project.round}", call)
        except FairshareError as error:
            if error.reason not in RACES:
                raise
            self.log.warning("missed the round", round=project.round, problem=error.message)
            return
        self.log.info("submitted", round=project.round)

    def _own(self, project: Project, block: Block) -> Prepared | None:
        self.peers.connect_to(project.aggregator_index)
        try:
            model = fetch_current(self.context, project, block.number, MODEL_S)
        except FairshareError as error:
            if error.reason is not Reason.INTEGRITY:
                raise
            self.log.error("model refused", round=project.round, problem=error.message, hint=error.hint)
            return None
        self.log.info("training", round=project.round, samples=len(self.dataset))
        return prepare(
            self.context,
            project.round,
            model,
            self.dataset,
            self.behaviour,
            trainer=self.sender.address,
            seed=self.seed,
            device=self.device,
            aggregator_index=project.aggregator_index,
            aggregator_key=self._aggregator(project.aggregator_index).encryption_key,
        )

    def _borrowed(self, project: Project, block: Block) -> Prepared | None:
        """The first other submission of the round: the copy attack."""
        others = fetch(
            self.context.client,
            [UpdateSubmitted],
            self.context.project,
            project.round,
            to_block=block.number,
        )
        if not others:
            return None
        first = others[0]
        return Prepared(
            project.round,
            Point(first.x, first.y),
            from_digest(first.blob),
            project.aggregator_index,
            None,
            None,
        )

    def _serve(self, project: Project, block: Block) -> None:
        """Hand sealed updates to the storage node, once their round's window has closed and not before."""
        closed = project.round if block.timestamp >= project.submit_deadline else project.round - 1
        for round_ in range(max(1, closed - 1), closed + 1):
            if self.journal.get(self.context.project, round_, SERVED, False):
                continue
            prepared = Prepared.recall(self.journal, self.context.project, round_)
            if prepared is not None and prepared.blob is not None:
                self.context.store.add(prepared.blob)
                self.journal.put(self.context.project, round_, SERVED, True)
                self.log.info("serving", round=round_)

    def _reseal(self, project: Project, prepared: Prepared) -> None:
        """After a take-over, seal the update's key to the aggregator that took over."""
        index = project.aggregator_index
        if index == prepared.aggregator_index or prepared.content_key is None:
            return
        number = self.context.project
        intent = f"reseal:{number}:{project.round}:{index}"
        if self.journal.get(number, project.round, intent, False):
            return
        sealed = reseal(prepared.content_key, self._aggregator(index).encryption_key)
        try:
            self.sender.send(
                intent, self.context.client.market.functions.reseal(number, project.round, sealed)
            )
        except FairshareError as error:
            if error.reason not in RACES:
                raise
            self.log.warning("reseal refused", round=project.round, problem=error.message)
            return
        self.journal.put(number, project.round, intent, True)
        self.log.info("resealed", round=project.round, aggregator=index)

    def _aggregator(self, index: int) -> AggregatorJoined:
        return self.peers.aggregator(index)
