"""A whole project in processes, from its posting to the end of the last process, with whatever befalls it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from marketplace.chain.types import Project, Status
from marketplace.spec import ProjectFile
from tests.support.chaos.absence import OWNER, Away
from tests.support.chaos.cast import cast
from tests.support.chaos.ground import Ground
from tests.support.chaos.mischief import Mischief
from tests.support.chaos.pace import awaited_deadline
from tests.support.chaos.plan import Act
from tests.support.chaos.record import Record

_LOOK_EVERY_S = 0.1
_STUCK_S = 300.0  # without anything new, on this machine


@dataclass(frozen=True)
class Played:
    """A project that is over, and all its processes with it. `missed`: who was kept away in which round."""

    project: int
    record: Record
    missed: list[tuple[int, str]]
    seconds: float


def play(
    ground: Ground,
    file: ProjectFile,
    aggregators: int,
    plan: Sequence[Act],
    seed: int,
    options: Sequence[str] = (),
    away: Sequence[Away] = (),
) -> Played:
    """Play it; whoever ends with an error is started again. Fails where it does not go on. `options`: of trainers."""
    began = time.monotonic()
    project = ground.post(file)
    roles = cast(ground, project, file.cohort.trainers, aggregators, options)
    mischief = Mischief.of(ground, project, roles, plan, away, seed)
    try:
        for role in roles.values():
            role.start()
        _to_the_end(ground, file.cohort.slots, mischief)
    finally:
        for role in roles.values():
            role.stop()
    return Played(project, mischief.record, mischief.absence.missed, time.monotonic() - began)


def _to_the_end(ground: Ground, slots: int, mischief: Mischief) -> None:
    """Until the project is over and everybody has ended, which nobody does before the end is final."""
    client, project = ground.client, mischief.project
    reveals = bool(client.terms(project).reveal_bond)
    reached, give_up_at = None, 0.0
    while True:
        block = client.latest_block()
        state = client.project(project)
        over = state.status > Status.CLOSING
        if over and mischief.has_ended:
            return
        too_quick = mischief.absence.planned if over and mischief.nobody_goes_on else ()
        assert not too_quick, f"done before they could be kept away: {too_quick}"
        if (state.status, state.round, len(mischief.plan)) != reached:
            reached = state.status, state.round, len(mischief.plan)
            give_up_at = time.monotonic() + _STUCK_S
        assert time.monotonic() < give_up_at, f"it does not go on: {state}"
        mischief.look_after(block, over=over)
        mischief.act(state, block)
        _leap(ground, state, slots, mischief, reveals=reveals)
        time.sleep(_LOOK_EVERY_S)


def _leap(ground: Ground, state: Project, slots: int, mischief: Mischief, *, reveals: bool) -> None:
    """On to the next deadline, where all that is to happen before it has happened."""
    if mischief.is_awaited(state):
        return
    now = ground.client.latest_block().timestamp
    cohorts = [ground.client.cohort(mischief.project, index) for index in range(state.cohorts)]
    absence, missing = mischief.absence, mischief.absence.missing(state)
    deadline = awaited_deadline(
        state,
        cohorts,
        now,
        ((1 << slots) - 1) & ~absence.slots(missing),
        reveals=reveals,
        refers=reveals and OWNER not in missing,
        full=bool(missing),
        posts=not absence.keeps_from_posting(state),
    )
    if deadline is not None:
        ground.pace.leap(deadline)
