"""What holds of a project after each transaction, and of its money with the other projects' beside it."""

from __future__ import annotations

from collections import Counter

from game import Game
from lens import View

from marketplace.chain.types import ChallengeKind, Cohort, Status

ENDED = (Status.SETTLED, Status.CANCELLED, Status.HALTED)
FORWARD = {
    Status.OPEN: {Status.DRAWING, Status.ACTIVE, Status.CANCELLED},
    Status.DRAWING: {Status.ACTIVE},
    Status.ACTIVE: {Status.CLOSING, Status.HALTED},
    Status.CLOSING: {Status.ACTIVE, Status.SETTLED, Status.HALTED},  # Active: the last round was undone
} | {status: set() for status in ENDED}


class Watch:
    """Compares each view of a project with the one before it."""

    def __init__(self, game: Game) -> None:
        self._game = game
        self._before: View | None = None
        self._closed: dict[tuple[int, int], tuple[int, int, bytes, bytes]] = {}  # by round and cohort

    def saw(self, view: View) -> None:
        """AssertionError where something does not hold."""
        before, self._before = self._before, view
        self._money(view)
        self._arrivals(view)
        assert view.state.model in self._game.vectors
        if before is None:
            return
        was, state = before.state, view.state
        assert state.status is was.status or state.status in FORWARD[was.status]
        assert state.round - was.round in (0, 1)
        assert state.last_round >= was.last_round
        assert (
            was.aggregator_index <= state.aggregator_index <= state.aggregator_count
            or state.status is Status.OPEN
        )
        if was.status is not Status.OPEN:
            assert (state.drawn_from, state.cohorts) == (was.drawn_from, was.cohorts)
        if was.status in ENDED:
            assert state.escrow == state.pot == 0
        self._pay(before, view)

    def _money(self, view: View) -> None:
        """The market has to the unit what it owes, and the vault what it holds."""
        game, state = self._game, view.state
        bond = 0 if state.revealed or state.status in ENDED else game.terms.reveal_bond
        owed = sum(view.claimable.values()) + state.escrow + state.pot + bond
        assert view.balances[str(game.world.market)] == owed
        stakes = view.stakes.values()
        held = sum(stake.free + stake.locked + stake.unbonding for stake in stakes)
        assert view.balances[str(game.world.vault)] == held
        locked = Counter({person: member.locked for person, member in view.members.items()})
        if view.challenge.kind is not ChallengeKind.NONE:
            locked[view.challenge.challenger] += game.terms.complaint_deposit
        for person, stake in view.stakes.items():
            assert stake.locked == locked[person]

    def _arrivals(self, view: View) -> None:
        """The chain is of what arrived, and nothing arrives once the window has closed."""
        state = view.state
        if state.status is not Status.ACTIVE:
            return
        for index, cohort in enumerate(view.cohorts[: state.cohorts]):
            received = self._game.of(state.round, index)
            place, now = (state.round, index), _arrived(cohort)
            if place in self._closed:
                assert self._closed[place] == now
            elif view.time >= state.submit_deadline:
                assert received.chain == cohort.chain
                self._closed[place] = now

    def _pay(self, before: View, view: View) -> None:
        """Once a project has ended, what somebody may claim stays until it is claimed."""
        if before.state.status in ENDED:
            for person, due in view.claimable.items():
                assert due in (before.claimable[person], 0)


def _arrived(cohort: Cohort) -> tuple[int, int, bytes, bytes]:
    root = cohort.batch_root if cohort.batched else b""  # of an earlier round where there is no batch
    return cohort.submitted, cohort.batched, cohort.chain, root
