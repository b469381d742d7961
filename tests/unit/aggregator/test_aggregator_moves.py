"""Moves that anyone may make: one aggregator after the other, and none that another has made."""

from __future__ import annotations

from aggregator.duty import patience_s
from marketplace.chain.events import AggregatorJoined, TrainerJoined, fetch
from marketplace.chain.types import Block, Project, Status
from marketplace.node.membership import move_on
from tests.support.served_market import Served, served
from tests.support.stepped_market import Ground
from tests.support.structs import blank


def test_who_is_in_turn_goes_first() -> None:
    state = blank(Project, aggregator_index=2, aggregator_count=8)
    assert [patience_s(state, index) for index in (2, 3, 4, 5, 6, 7, 0, 1)] == [0, 2, 4, 6, 8, 8, 8, 8]
    assert patience_s(state, None) == 8
    assert patience_s(blank(Project), None) == 8


def moves(game: Served, index: int, at: Block, state: Project, patience: int) -> bool:
    duty = game.duties[index]
    return move_on(duty.context, duty.sender, state, at, duty.log, patience_s=patience)


def test_a_full_project_is_started_once_by_whose_turn_it_is(ground: Ground) -> None:
    with served(ground) as game:
        for duty in list(game.duties.values()):
            game.look(duty)
        game.play.step()
        state, block = game.state, game.play.client.latest_block()
        assert state.status is Status.OPEN
        assert state.trainer_count == game.play.client.terms(game.play.project).trainers
        joined = fetch(game.play.client, [TrainerJoined, AggregatorJoined], game.play.project)
        filled = game.play.client.block(joined[-1].block_number).timestamp
        patience = patience_s(state, 1)
        early, late = (Block(block.number, filled + wait, block.hash) for wait in (patience - 1, patience))
        assert not moves(game, 1, early, state, patience)
        assert game.state.status is Status.OPEN
        assert moves(game, 0, late, state, patience_s(state, 0))
        assert game.state.status is Status.ACTIVE
        assert not moves(game, 1, late, state, patience)  # by what it read before
        sender = game.duties[1].sender
        assert not [
            t for t in sender._log.transactions_from_nonce(31337, sender.address, 0) if "start:" in t.intent
        ]
