"""An aggregator's daemon for one project: it joins, serves its turns, answers for its results, holds the model."""

from __future__ import annotations

from dataclasses import dataclass, field

from web3.types import BlockIdentifier

from aggregator.batching import run_desk
from aggregator.behaviour import Attack, Behaviour
from aggregator.defending import defend
from aggregator.intake import Desk
from aggregator.joining import join
from aggregator.kept import forget_before
from aggregator.path import Path
from aggregator.paths import path_of
from aggregator.previewing import Ahead
from aggregator.proof_queue import ProofQueue
from aggregator.turn import Turn
from marketplace.chain.types import Block, Project
from marketplace.errors import FairshareError, Reason
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.membership import move_on
from marketplace.node.reorganisation import final_project, is_posted_for_good
from marketplace.storage.contact import encode_contact
from zk.curve import Point

AT_HAND_S = 0.5  # for the current model where our storage, or one it is connected to, has it
# Before a move that anyone may make: who is in turn goes first, the next one after it.
PATIENCE_PER_TURN_S = 2
_LAST_TURN = 4  # all after it wait as long: trainers step in after 10 s
MODEL_S = 5.0  # for one attempt at it elsewhere; another follows with the next block


def patience_s(project: Project, index: int | None) -> int:
    """Seconds for which aggregator `index` leaves a due move to those before it; None for no member."""
    if index is None or not project.aggregator_count:
        return _LAST_TURN * PATIENCE_PER_TURN_S
    turn = (index - project.aggregator_index) % project.aggregator_count
    return min(turn, _LAST_TURN) * PATIENCE_PER_TURN_S


@dataclass
class Duty(ProjectDaemon):
    """An aggregator's part in one project."""

    contact: str  # multiaddress of our storage node
    attack: Attack | None = None
    url: str | None = None  # where `desk` takes submissions
    desk: Desk | None = None
    proofs: ProofQueue = field(default_factory=ProofQueue)  # a node's projects share one
    _path: Path = field(init=False)
    _ahead: Ahead | None = field(default=None, init=False)
    _turn: Turn | None = field(default=None, init=False)
    _held: Point | None = field(default=None, init=False)  # commitment of the model that our storage has

    def __post_init__(self) -> None:
        self._path = path_of(self.context, self._behaviour)

    def _place(self, block: BlockIdentifier = "latest") -> int | None:
        membership = self.context.client.membership(self.context.project, self.sender.address, block=block)
        return membership.aggregator_index

    def _open(self, project: Project, block: Block) -> None:
        if self._place() is None:
            if block.timestamp >= project.join_deadline:
                raise FairshareError(Reason.DEADLINE_PASSED, "the time for joining this project is over")
            if not is_posted_for_good(self.context, block):
                self.log.info("waiting until the project is final before joining it")
                return
            self._join()
        self._move_on(project, block, self._place())

    def _drawing(self, project: Project, block: Block) -> None:
        self._move_on(project, block, self._place(block.number))

    def _active(self, project: Project, block: Block) -> None:
        index = self._place(block.number)
        if index is None:
            self._join_late()
            return
        challenged = defend(self, self._path, self._behaviour, project, index, block)
        self._hold_model(project, block)
        if self.desk is not None and self.context.terms.batch_window:
            run_desk(self, self.desk, project, index, block)
        if not challenged and project.aggregator_index == index and self._serve(project, block):
            return  # what was read is no longer so
        self._move_on(project, block, index)

    def _closing(self, project: Project, block: Block) -> None:
        index = self._place(block.number)
        if index is not None:
            defend(self, self._path, self._behaviour, project, index, block)
        self._hold_model(project, block)
        self._move_on(project, block, index)

    def _over(self, project: Project, block: Block) -> None:
        self._hold_model(project, block)

    def _forget(self, project: Project) -> None:
        """Updates were opened with our key: neither it nor they are kept."""
        forget_before(self.journal, self.context.project, project.round + 1)
        self._destroy_key()

    def _move_on(self, project: Project, block: Block, index: int | None) -> None:
        wait = patience_s(project, index)
        move_on(self.context, self.sender, project, block, self.log, patience_s=wait)

    @property
    def _behaviour(self) -> Behaviour:
        return Behaviour(self.attack)

    def _join(self) -> None:
        join(self, encode_contact(self.contact, self.url))

    def _join_late(self) -> None:
        """After the start. REFUSED where models are sealed: those so far are closed to us, and our turn may be near."""
        if self.context.is_sealed:
            raise FairshareError(
                Reason.REFUSED,
                f"project {self.context.project} has started, and its models so far are sealed to its members: "
                "who joins now could not work on the one in hand, and would lose its bond",
                "take another project, or join before the start",
            )
        self._join()

    def _serve(self, project: Project, block: Block) -> bool:
        """What is due in our turn once the window is closed; whether a cohort was concluded."""
        if not project.submit_deadline <= block.timestamp < project.result_deadline:
            return False
        final = final_project(self.context, project, block)
        if final is not None:  # what may be needed after a reorganisation is kept
            forget_before(self.journal, self.context.project, final.outcome_round)
        if self._turn is None or self._turn.round != project.round:
            if self._ahead is None:
                self._ahead = Ahead(self.proofs, None if self.desk is None else self.desk.announce)
            self._turn = Turn(project.round, self._path, self._behaviour, self._ahead)
        return self._turn.act(self, project, block)

    def _hold_model(self, project: Project, block: Block) -> None:
        """Hold the current global model: it must not be lost with the aggregator that made it."""
        if self._held == project.model:
            return
        if self._has_model(project, block, AT_HAND_S):
            return
        listed = self.context.client.aggregators(self.context.project, block=block.number)
        for index, account in enumerate(listed):
            if account.holder != self.sender.address:
                self.peers.connect_to(index)
        self._has_model(project, block, MODEL_S)

    def _has_model(self, project: Project, block: Block, timeout_s: float) -> bool:
        try:
            self._path.hold(self, project, block, timeout_s)
        except FairshareError as error:
            if error.reason not in (Reason.UNAVAILABLE, Reason.INTEGRITY, Reason.NOT_FOUND):
                raise
            self.log.warning("no global model yet", round=project.round, problem=error.message)
            return False
        self._held = project.model
        return True
