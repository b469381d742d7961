"""What every member's daemon for a project does: look at each new block, and do what the project's state calls for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import Block, Project, Status
from marketplace.errors import FairshareError, Reason
from marketplace.node.clock import ChainClock
from marketplace.node.journal import Journal
from marketplace.node.logging import Logger
from marketplace.node.membership import collect_dues
from marketplace.node.peers import PeerBook
from marketplace.node.project import ProjectContext
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

    def step(self) -> bool:
        """One look at the chain. Raises what `keep_going` sorts into passing and final."""
        block = self.clock.wait_for_block()
        if block is None:
            return True
        project = self.context.client.project(self.context.project, block=block.number)
        if project.status is Status.OPEN:
            self._open(project, block)
        elif project.status is Status.ACTIVE:
            self._active(project, block)
        else:
            if self._place() is None:
                raise FairshareError(
                    Reason.REFUSED,
                    f"project {self.context.project} is {project.status.name.lower()}: nobody can join it any more",
                    "look for another",
                )
            self._over(project, block)
            collect_dues(self.context, self.sender, self.log)
            self.log.info("project over", status=project.status.name.lower())
            return False
        return True

    @abstractmethod
    def _place(self) -> int | None:
        """Our slot, or our index in the list of aggregators; None for no member."""

    @abstractmethod
    def _open(self, project: Project, block: Block) -> None:
        """Before the start."""

    @abstractmethod
    def _active(self, project: Project, block: Block) -> None:
        """In a round."""

    def _over(self, project: Project, block: Block) -> None:
        """After the end, before stake and credit are collected."""
        return
