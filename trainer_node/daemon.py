"""The trainer's daemon for one project: it acts on the chain's state and deadlines, one block at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

from web3.types import BlockIdentifier

from marketplace.chain.types import Block, Cohort, Member, Project
from marketplace.errors import FairshareError, Reason
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.membership import move_on
from marketplace.node.reorganisation import final_project, is_posted_for_good
from marketplace.node.seats import Seat, seat_in_round
from marketplace.node.stake import ensure_free_stake
from marketplace.node.windows import require_meetable
from trainer_node.ahead import Ahead
from trainer_node.answering import answer_complaint
from trainer_node.batching import needs_transaction
from trainer_node.challenging import Doubt
from trainer_node.handing_over import reseal_key, serve
from trainer_node.path import Path, path_of
from trainer_node.prepared import Prepared, forget_before
from trainer_node.submitting import Worker, prepared_for, submit, train_ahead

JOINS = "joins"  # journal: how often this node has left, so that each joining is an effect of its own
PATIENCE_S = 10  # before a trainer makes a move that anyone may make; aggregators are paid to be first
PATIENCE_PER_SLOT_S = 2


@dataclass
class TrainerDaemon(ProjectDaemon):
    """A trainer at work in one project."""

    worker: Worker
    doubt: Doubt
    ahead: Ahead = field(default_factory=Ahead, init=False)
    _path: Path = field(init=False)

    def __post_init__(self) -> None:
        self._path = path_of(self.context, self.worker.behaviour)

    def _open(self, project: Project, block: Block) -> None:
        if self._membership(block).trainer_number is None:
            if block.timestamp >= project.join_deadline:
                raise FairshareError(Reason.DEADLINE_PASSED, "the time for joining this project is over")
            if not is_posted_for_good(self.context, block):
                self.log.info("waiting until the project is final before joining it")
                return
            self._join(project)
        self._move_on(project, block, 0)

    def _drawing(self, project: Project, block: Block) -> None:
        self._move_on(project, block, self._member(block))

    def _active(self, project: Project, block: Block) -> None:
        number = self._member(block)
        final = final_project(self.context, project, block)
        if final is not None:  # what may be needed after a reorganisation is kept
            forget_before(self.journal, self.context.project, min(final.outcome_round, final.round - 1))
        if self.worker.behaviour.serves:
            serve(self, project, block)
        seat = seat_in_round(project, self.context.terms.slots, project.round, number)
        if seat is not None and block.timestamp >= project.submit_deadline:
            self._stand_by(project, seat, block)
        self._path.watch(self, project, number, self.doubt, block)
        self._move_on(project, block, number)
        if self._path.trains_ahead:
            train_ahead(self, self.worker, self.ahead, project, number, block)
        if seat is not None and block.timestamp < project.submit_deadline and self.worker.behaviour.submits:
            self._submit(project, seat, block)

    def _closing(self, project: Project, block: Block) -> None:
        self.ahead.stop()
        number = self._member(block)
        self._path.watch(self, project, number, self.doubt, block)
        self._move_on(project, block, number)

    def _over(self, project: Project, block: Block) -> None:
        if self.worker.privacy is not None:
            self.worker.privacy.close(project.round)

    def _place(self) -> int | None:
        return self._membership().trainer_number

    def _membership(self, block: Block | None = None) -> Member:
        at: BlockIdentifier = "latest" if block is None else block.number
        return self.context.client.membership(self.context.project, self.sender.address, block=at)

    def _member(self, block: Block) -> int:
        """Our number; REFUSED for one who did not join, or has left."""
        member = self._membership(block)
        if member.trainer_number is None or member.left:
            what = "has left the project" if member.left else "is no member of the project, which has started"
            raise FairshareError(Reason.REFUSED, f"this account {what}", "look for another")
        return member.trainer_number

    def _join(self, project: Project) -> None:
        context, number = self.context, self.context.project
        if project.trainer_count == context.terms.trainers:
            raise FairshareError(Reason.REFUSED, "every place of this project is taken", "look for another")
        require_meetable(context.spec.rounds, context.client.chain_id)
        intent = f"join:{number}:{self.journal.get(number, 0, JOINS, 0)}"
        ensure_free_stake(
            context.client, self.sender, context.terms.token, context.terms.trainer_stake, "join", intent
        )
        self.sender.send(intent, context.client.market.functions.join(number, self.key.public))
        self.log.info("joined", number=self._place())
        import torch  # noqa: F401  loaded while there is time, not in the first round's window

    def _submit(self, project: Project, seat: Seat, block: Block) -> None:
        cohort = self._cohort(project, seat, block)
        if cohort.round == project.round and cohort.submitted >> seat.slot & 1:
            return
        prepared = prepared_for(self, self.worker, self.ahead, project, block)
        if prepared is not None and needs_transaction(self, project, cohort, seat, prepared, block):
            submit(self, project, seat, prepared)

    def _stand_by(self, project: Project, seat: Seat, block: Block) -> None:
        """While the aggregator works: answer what it complains about, reseal for one that took over."""
        prepared = Prepared.recall(self.journal, self.context.project, project.round)
        cohort = self._cohort(project, seat, block)
        if prepared is None or not (cohort.submitted | cohort.batched) >> seat.slot & 1:
            return
        if self.worker.behaviour.answers:
            answer_complaint(self, project, cohort, seat, prepared, block)
        self.peers.connect_to(project.aggregator_index)
        reseal_key(self, project, prepared, block)

    def _cohort(self, project: Project, seat: Seat, block: Block) -> Cohort:
        return self.context.client.cohort(self.context.project, seat.cohort, block=block.number)

    def _move_on(self, project: Project, block: Block, number: int) -> None:
        patience = PATIENCE_S + PATIENCE_PER_SLOT_S * (number % self.context.terms.slots)
        move_on(self.context, self.sender, project, block, self.log, patience_s=patience)
