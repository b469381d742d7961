"""From any state: the projects can be ended by strangers, and everybody gets everything out."""

from __future__ import annotations

from moves import Moves
from rounds import UNBONDING_DELAY_S
from watch import ENDED
from wire import next_block_at

from marketplace.chain.types import ChallengeKind, Status

STRANGER, OWNER = 0, 1
LONGEST_END = 80  # calls until a project has ended, whatever happened before


def finish(moves: Moves) -> None:
    """AssertionError where a project does not end, or leaves anything behind."""
    for g in range(len(moves.games)):
        for _ in range(LONGEST_END):
            if moves.view(g).state.status in ENDED:
                break
            _go_on(moves, g)
        assert moves.view(g).state.status in ENDED
        _pay_out(moves, g)
    ready = max(stake.ready_at for g in range(len(moves.games)) for stake in moves.view(g).stakes.values())
    next_block_at(max(ready, moves.view(0).time + 1, moves.view(0).time + UNBONDING_DELAY_S))
    for g, game in enumerate(moves.games):
        for person, stake in moves.view(g).stakes.items():
            if stake.unbonding:
                moves.world.vault.withdraw(game.terms.token, {"from": person})
    moves.forget()
    for g in range(len(moves.games)):
        balances, world = moves.view(g).balances, moves.world
        assert balances[str(world.market)] == balances[str(world.vault)] == 0


def _pay_out(moves: Moves, g: int) -> None:
    """Stake is unlocked, pay is paid, and what is in the vault starts to unbond."""
    world, game, ended = moves.world, moves.games[g], moves.view(g)
    for person in moves.people:
        if ended.members[person].locked:
            world.market.release(game.project, {"from": person})
        if ended.claimable[person]:
            world.market.claim(game.project, person, {"from": moves.people[STRANGER]})
    moves.forget()
    for person, stake in moves.view(g).stakes.items():
        assert stake.locked == 0
        if stake.free:
            world.vault.unbond(game.terms.token, stake.free, {"from": person})
    moves.forget()


def _go_on(moves: Moves, g: int) -> None:
    """What anybody can do to bring a project nearer to its end."""
    view = moves.view(g)
    state, status = view.state, view.state.status
    if view.challenge.kind is not ChallengeKind.NONE:
        moves.wait_until(view.challenge.deadline)
        moves.undo(g, STRANGER, right=True)
    elif status is Status.OPEN:
        moves.wait_until(state.join_deadline)
        who = OWNER if moves.book(g, STRANGER).cancel() else STRANGER
        if moves.book(g, STRANGER).start():
            moves.cancel(g, who)
        else:
            moves.start(g, STRANGER)
    elif status is Status.DRAWING:
        moves.wait_until(view.time + 2)
        moves.draw(g, STRANGER)
    elif status is Status.ACTIVE:
        moves.wait_until(max(state.submit_deadline, state.answer_deadline))
        for cohort in range(state.cohorts):
            if not moves.book(g, STRANGER).skip(state.round, cohort):
                return moves.skip(g, STRANGER, cohort)
        moves.wait_until(state.result_deadline)
        moves.timeout(g, STRANGER)
    else:
        moves.wait_until(state.challenge_deadline)
        moves.settle(g, STRANGER)
    return None
