"""Does to a project of processes what a plan says, when it says so, and writes down what was done to whom."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from marketplace.chain.types import Block, Project, Status
from tests.support.chaos.absence import Absence, Away
from tests.support.chaos.ground import Ground
from tests.support.chaos.plan import EVERYBODY, IN_TURN, Act, Kind
from tests.support.chaos.record import Record
from tests.support.processes import Role
from tests.support.reorganised import has_reorganised, transactions_in


@dataclass(order=True)
class _Later:
    at: float  # monotonic clock
    what: str = field(compare=False)  # a role, an endpoint or the storage node, which is to run again


@dataclass
class Mischief:
    """`look_after` and `act` are called again and again, and do what is due; nothing here waits."""

    ground: Ground
    project: int
    roles: Mapping[str, Role]
    record: Record
    plan: deque[Act]
    absence: Absence
    _chance: random.Random
    _later: list[_Later] = field(default_factory=list)
    _not_before: float = 0.0
    _reorganised_at: int = 0
    _armed: deque[Act] = field(default_factory=deque)  # reorganisations that wait for something to take away

    @classmethod
    def of(
        cls,
        ground: Ground,
        project: int,
        roles: Mapping[str, Role],
        plan: Sequence[Act],
        away: Sequence[Away],
        seed: int,
    ) -> Mischief:
        """Of a plan that begins now."""
        record = Record()
        absence = Absence.of(ground, project, roles, record, away)
        return cls(ground, project, roles, record, deque(plan), absence, random.Random(seed))

    def look_after(self, block: Block, *, over: bool) -> None:
        """Starts again what was killed and whoever ended by itself, as a service manager would.

        Once the project is `over`, who ends well has done all that it should.
        """
        now = time.monotonic()
        due = [later for later in self._later if later.at <= now]
        self._later = [later for later in self._later if later.at > now]
        for later in sorted(due):
            if later.what in self.absence.names:
                continue
            if later.what in self.roles:
                self._start(self.roles[later.what], block)
            elif later.what in self.ground.proxies:
                self.ground.proxies[later.what].heal()
            else:
                self.ground.storage.start()
        awaited = {later.what for later in self._later} | set(self.absence.names)
        for role in self.roles.values():
            if not role.running and role.name not in awaited and not (over and role.exit_status == 0):
                self.record.ended.append((role.name, role.exit_status or 0, _last_line(role)))
                self.record.went_down(role.name, block.timestamp)
                self._later.append(_Later(now + 1.0, role.name))

    def act(self, project: Project, block: Block) -> None:
        """What is due, as the chain is at `block`."""
        self.absence.look_after(project, block)
        if self._armed and self._reorganise(self._armed[0], project, block):
            self._armed.popleft()
        closed = block.timestamp >= project.submit_deadline
        if not self.plan or time.monotonic() < self._not_before:
            return
        if _is_time(self.plan[0], project, closed=closed) and self._do(self.plan[0], project, block):
            self.plan.popleft()
            self._not_before = time.monotonic() + (self.plan[0].pause_s if self.plan else 0.0)

    def is_awaited(self, project: Project) -> bool:
        """Whether something is left to do before the deadline that is next."""
        return bool(self.plan) and _is_time(self.plan[0], project, closed=False)

    @property
    def has_ended(self) -> bool:
        """Whether all is done, and all processes have ended well."""
        return not self.plan and self.absence.has_ended and self.nobody_goes_on

    @property
    def nobody_goes_on(self) -> bool:
        """Whether all processes have ended well."""
        return all(role.exit_status == 0 for role in self.roles.values())

    def _reorganise(self, act: Act, project: Project, block: Block) -> bool:
        """False where there is nothing to take away, or only what one before has put there, or nothing came of it."""
        client = self.ground.client
        with self.ground.pace.standing_still():
            there = transactions_in(client, act.depth)
            if not there or block.number < self._reorganised_at + act.depth:
                return False
            senders = sorted({sender for sender, _ in there})
            self._chance.shuffle(senders)
            kept = senders[: round(act.kept * len(senders))]
            if not has_reorganised(
                client, act.depth, [raw for one in kept for sender, raw in there if sender == one]
            ):
                return False
        self._reorganised_at = block.number
        self.record.note(
            block.timestamp, project.round, act.kind, f"{len(there)} transactions, {act.kept} kept"
        )
        return True

    def _victims(self, act: Act, project: Project) -> list[str]:
        if act.target == EVERYBODY:
            return list(self.roles)
        if act.target != IN_TURN:
            there = [name for name in self.roles if name not in self.absence.names]
            return [act.target if act.target in there else self._chance.choice(there)]
        return list(self.ground.in_turn(self.project, project))

    def _start(self, role: Role, block: Block) -> None:
        role.start()
        self.record.came_up(role.name, block.timestamp)

    def _do(self, act: Act, project: Project, block: Block) -> bool:
        """False where it cannot be done now: what it is about is down already."""
        now = time.monotonic()
        match act.kind:
            case Kind.KILL:
                victims = [name for name in self._victims(act, project) if self.roles[name].running]
                for name in victims:
                    self.roles[name].kill()
                    self.record.went_down(name, block.timestamp)
                    self.record.note(block.timestamp, project.round, act.kind, name)
                    self._later.append(_Later(now + act.lasts_s, name))
                return bool(victims)
            case Kind.DROP | Kind.STALL:
                chosen = [name for name in self.ground.proxies if act.target in (name, EVERYBODY)]
                if any(later.what in chosen for later in self._later):
                    return False
                for name in chosen:
                    proxy = self.ground.proxies[name]
                    proxy.drop() if act.kind is Kind.DROP else proxy.stall()
                    self._later.append(_Later(now + act.lasts_s, name))
            case Kind.REORGANISE:
                self._armed.append(act)
                return True
            case Kind.RESTART_STORAGE:
                if not self.ground.storage.running:
                    return False
                self.ground.kill_storage()
                self._later.append(_Later(now + act.lasts_s, act.target))
        self.record.note(block.timestamp, project.round, act.kind, act.target)
        return True


def _is_time(act: Act, project: Project, *, closed: bool) -> bool:
    """Whether an act's time has come; `closed`: whether the window of the round under way is."""
    if project.status is Status.ACTIVE:
        return (act.round, act.closed) <= (project.round, closed)
    return act.round == 0 or project.status > Status.ACTIVE


def _last_line(role: Role) -> str:
    lines = role.log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
