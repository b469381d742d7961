"""Which projects an aggregator serves, and a thread of duty for each."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from marketplace.chain.client import MarketClient
from marketplace.chain.types import Address, Status
from marketplace.errors import FairshareError
from marketplace.node.clock import ChainClock
from marketplace.node.logging import Logger
from marketplace.node.reorganisation import final_project_count

_JOINABLE = (Status.OPEN, Status.ACTIVE)
_RUNNING = (Status.OPEN, Status.DRAWING, Status.ACTIVE, Status.CLOSING)


@dataclass(frozen=True)
class Policy:
    """Which open projects to join: named ones only, or all that pay enough and do not ask for too much."""

    projects: frozenset[int] = frozenset()
    min_fee: int = 0
    max_bond: int | None = None

    def accepts(self, project: int, fee: int, bond: int) -> bool:
        """Whether to join a project with this fee and bond, in its token's smallest unit."""
        if self.projects:
            return project in self.projects
        return fee >= self.min_fee and (self.max_bond is None or bond <= self.max_bond)


@dataclass
class Watch:
    """Starts `serve(project)` in a thread for each project that concerns this aggregator."""

    client: MarketClient
    address: Address
    policy: Policy
    clock: ChainClock
    serve: Callable[[int], None]
    log: Logger
    stop: threading.Event
    failures: list[FairshareError] = field(default_factory=list)
    _threads: dict[int, threading.Thread] = field(default_factory=dict)

    def step(self) -> bool:
        """Look for projects; False when every named project is over."""
        block = self.clock.wait_for_block()
        if block is None:
            return True
        for project in range(1, final_project_count(self.client, block) + 1):
            if project not in self._threads and self._concerns(project):
                self._threads[project] = self._start(project)
        named = self.policy.projects
        running = any(thread.is_alive() for thread in self._threads.values())
        return not named or running or not named <= set(self._threads)

    def join(self) -> None:
        """Wait for the duties to end; raises the first error that ended one for good."""
        for thread in self._threads.values():
            thread.join()
        if self.failures:
            raise self.failures[0]

    def _concerns(self, project: int) -> bool:
        status = self.client.project(project).status
        member = self.client.membership(project, self.address)
        if status not in _RUNNING:
            return project in self.policy.projects or bool(member.locked)
        if member.aggregator_index is not None:
            return True
        if status not in _JOINABLE:
            return False
        if status is Status.OPEN and not self.policy.projects and self._too_late(project):
            return False
        terms = self.client.terms(project)
        return self.policy.accepts(project, terms.aggregator_fee, terms.aggregator_bond)

    def _too_late(self, project: int) -> bool:
        return self.client.latest_block().timestamp >= self.client.project(project).join_deadline

    def _start(self, project: int) -> threading.Thread:
        def duty() -> None:
            try:
                self.serve(project)
            except FairshareError as error:
                self.log.error("duty ended", project=project, reason=error.reason, problem=error.message)
                self.failures.append(error)

        thread = threading.Thread(target=duty, name=f"project-{project}")
        thread.start()
        return thread
