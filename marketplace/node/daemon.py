"""What every member's daemon for a project does: look at each new block, and do what the project's state calls for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from web3.contract.contract import ContractFunction

from marketplace.chain.looks import Habit
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import Block, Project, Status
from marketplace.errors import FairshareError, Reason
from marketplace.node.clock import ChainClock
from marketplace.node.dues import collect_dues
from marketplace.node.journal import Journal
from marketplace.node.keyring import KeyRing
from marketplace.node.lifecycle import is_transient
from marketplace.node.logging import Logger
from marketplace.node.membership import attempt, move_on
from marketplace.node.peers import PeerBook
from marketplace.node.project import ProjectContext
from marketplace.node.reorganisation import is_over_for_good, is_seen, on_chain, see
from marketplace.node.telemetry.hooks import NO_TELEMETRY, Telemetry
from marketplace.updates.sealing import EncryptionKey


@dataclass
class ProjectDaemon(ABC):
    """`step` looks at the newest block, does what is due, and waits for the next; False when the project is over."""

    context: ProjectContext
    sender: TransactionSender
    journal: Journal
    clock: ChainClock
    key: EncryptionKey
    peers: PeerBook
    log: Logger
    telemetry: Telemetry = field(default=NO_TELEMETRY, kw_only=True)
    keys: KeyRing | None = field(default=None, kw_only=True)  # where `key` is; the end destroys it there
    _habit: Habit = field(default_factory=Habit, init=False)

    def step(self) -> bool:
        """One look at the chain. Raises what `keep_going` sorts into passing and final."""
        block = self.clock.wait_for_block()
        if block is None:
            return True
        try:
            self.sender.look_back()
            with self.context.client.looking(block, self._habit):
                return self._look(block)
        except FairshareError as error:
            # What was read before and after a reorganisation does not fit together: that is nobody's lie.
            if is_transient(error) or on_chain(self.context.client, block):
                raise
            self.log.warning("reorganised meanwhile", block=block.number, problem=error.message)
            return True

    def _look(self, block: Block) -> bool:
        project = self.context.client.project(self.context.project, block=block.number)
        self.telemetry.saw(self.context.project, project, block)
        match project.status:
            case Status.OPEN:
                self._open(project, block)
            case Status.DRAWING:
                self._drawing(project, block)
            case Status.ACTIVE:
                self._active(project, block)
            case Status.CLOSING:
                self._closing(project, block)
            case _:
                return not self._end(project, block)
        return True

    def attempt(self, intent: str, call: ContractFunction, round_: int, deadline: int | None = None) -> bool:
        """As `membership.attempt`."""
        return attempt(self.sender, self.log, intent, call, round_, deadline)

    def see(self, round_: int, name: str, block: Block) -> None:
        """As `reorganisation.see`."""
        see(self, round_, name, block)

    def is_seen(self, round_: int, name: str, head: Block) -> bool:
        """As `reorganisation.is_seen`."""
        return is_seen(self, round_, name, head)

    @abstractmethod
    def _place(self) -> int | None:
        """Our number as a trainer, or our index in the list of aggregators; None for no member."""

    @abstractmethod
    def _open(self, project: Project, block: Block) -> None:
        """Before the start."""

    def _drawing(self, project: Project, block: Block) -> None:
        """While the block is awaited whose hash draws the seats."""
        move_on(self.context, self.sender, project, block, self.log)

    @abstractmethod
    def _active(self, project: Project, block: Block) -> None:
        """In a round."""

    def _closing(self, project: Project, block: Block) -> None:
        """After the last round, while its results can be challenged."""
        move_on(self.context, self.sender, project, block, self.log)

    def _over(self, project: Project, block: Block) -> None:
        """After the end, before stake and earnings are collected."""
        return

    def _end(self, project: Project, block: Block) -> bool:
        """Collects what is due; True once neither the end nor that can be reorganised away."""
        if self._place() is None:
            raise FairshareError(
                Reason.REFUSED,
                f"project {self.context.project} is {project.status.name.lower()}: nobody can join it any more",
                "look for another",
            )
        self._over(project, block)
        collect_dues(self.context, self.sender, block, self.log)
        if not is_over_for_good(self.context, project, block) or not self.sender.is_settled:
            return False
        self._forget(project)
        self.log.info("project over", status=project.status.name.lower())
        return True

    def _forget(self, project: Project) -> None:
        """Once a project is over for good: what was sealed to us is closed, but for models, which we may open on."""
        if not self.context.is_sealed:
            self._destroy_key()

    def _destroy_key(self) -> None:
        if self.keys is not None and self.keys.destroy(self.context.project):
            self.log.info("encryption key destroyed")
