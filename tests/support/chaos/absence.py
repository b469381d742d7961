"""Who is kept away past a deadline: killed before it has done its part, and started again once the chain went on."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from marketplace.chain.types import Block, Project, Status
from tests.support.chaos.ground import CONFIRMATIONS, Ground
from tests.support.chaos.plan import IN_TURN, Kind
from tests.support.chaos.record import Record
from tests.support.processes import Role

OWNER = "owner"


@dataclass(frozen=True)
class Away:
    """From this round's window on, or a later one's if it was too quick: trainers, the OWNER, or who is IN_TURN."""

    round: int
    who: tuple[str, ...]

    @property
    def is_in_turn(self) -> bool:
        """Whether it is the aggregator whose turn it is."""
        return self.who == (IN_TURN,)


@dataclass(frozen=True)
class _Kept:
    away: Away
    round: int
    names: tuple[str, ...]
    turn: int  # whose it was


@dataclass
class Absence:
    """One `Away` after the other, of a project with a seat for each trainer. Nothing here waits."""

    ground: Ground
    project: int
    roles: Mapping[str, Role]
    record: Record
    planned: deque[Away]
    missed: list[tuple[int, str]]  # round and name, of those who came too late for it
    _kept: _Kept | None = None
    _over_since: int | None = None  # block

    @classmethod
    def of(
        cls, ground: Ground, project: int, roles: Mapping[str, Role], record: Record, planned: Sequence[Away]
    ) -> Absence:
        """Of a project that begins now."""
        return cls(ground, project, roles, record, deque(planned), [])

    @property
    def names(self) -> tuple[str, ...]:
        """Who is kept away now."""
        return self._kept.names if self._kept else ()

    @property
    def has_ended(self) -> bool:
        """Whether everybody is back for good."""
        return not self.planned and self._kept is None

    def keeps_from_posting(self, project: Project) -> bool:
        """Whether the result's deadline is waited for."""
        kept = self._kept
        return kept is not None and kept.away.is_in_turn and kept.turn == project.aggregator_index

    def missing(self, project: Project) -> tuple[str, ...]:
        """Whose update, or reference, is not to come in the round under way."""
        kept = self._kept
        return (
            kept.names
            if kept is not None and kept.round == project.round and not kept.away.is_in_turn
            else ()
        )

    def slots(self, names: tuple[str, ...]) -> int:
        """Mask of the trainers among them; a reorganisation may have taken away that one joined."""
        accounts = {self.ground.accounts[name] for name in names if name != OWNER}
        members = enumerate(self.ground.client.trainers(self.project))
        return sum(1 << slot for slot, account in members if account in accounts)

    def look_after(self, project: Project, block: Block) -> None:
        """Takes somebody away, or lets come back, where it is time to."""
        if self._kept is None:
            if self.planned and self._may_begin(self.planned[0], project, block):
                self._begin(self.planned.popleft(), project, block)
            return
        kept = self._kept
        if self._did(kept, project) or project.round < kept.round:  # which was reorganised away
            self.planned.appendleft(kept.away)
        else:
            over = self._is_over(kept, project, block)
            self._over_since = (self._over_since or block.number) if over else None
            if self._over_since is None or block.number < self._over_since + CONFIRMATIONS:
                return  # a reorganisation might take it back
            self.missed += [(kept.round, name) for name in kept.names]
        for name in kept.names:
            self.roles[name].start()
            self.record.came_up(name, block.timestamp)
        self._kept = self._over_since = None

    def _may_begin(self, away: Away, project: Project, block: Block) -> bool:
        closed = block.timestamp >= project.submit_deadline
        if project.status is not Status.ACTIVE or project.round < away.round:
            return False
        trial = _Kept(away, project.round, self._names(away, project), project.aggregator_index)
        return closed is away.is_in_turn and not self._did(trial, project)

    def _begin(self, away: Away, project: Project, block: Block) -> None:
        self._kept = _Kept(away, project.round, self._names(away, project), project.aggregator_index)
        for name in self._kept.names:
            if self.roles[name].running:
                self.roles[name].kill()
                self.record.went_down(name, block.timestamp)
            self.record.note(block.timestamp, project.round, Kind.KEEP_AWAY, name)

    def _is_over(self, kept: _Kept, project: Project, block: Block) -> bool:
        """Whether the chain has gone on without them."""
        if kept.away.is_in_turn:
            return project.aggregator_index > kept.turn
        return project.round > kept.round or (
            project.round == kept.round and block.timestamp >= project.submit_deadline
        )

    def _did(self, kept: _Kept, project: Project) -> bool:
        """Whether any of them has done its part all the same: a transaction was on its way."""
        if kept.away.is_in_turn:
            went_on = project.round > kept.round or project.status is not Status.ACTIVE
            return project.aggregator_index == kept.turn and went_on
        if kept.away.who == (OWNER,):
            return project.reference_round == kept.round
        cohort = self.ground.client.cohort(self.project, 0)
        there = cohort.submitted | cohort.batched
        return cohort.round == kept.round and bool(there & self.slots(kept.names))

    def _names(self, away: Away, project: Project) -> tuple[str, ...]:
        return self.ground.in_turn(self.project, project) if away.is_in_turn else away.who
