"""An aggregator's rounds on a real market: results, complaints, take-overs, restarts."""

from __future__ import annotations

from marketplace.chain.events import ResultPosted, UpdatesComplained, UpdateWithheld
from marketplace.chain.types import Status
from tests.support.served_market import served
from tests.support.stepped_market import FAULTS, SLOTS, Ground
from trainer_node.behaviour import Attack as TrainerAttack


def start(game) -> None:
    for _ in range(3):
        game.step()
    assert game.state.status is Status.ACTIVE


def test_a_proved_project_from_joining_to_the_end(ground: Ground) -> None:
    with served(ground, settlement__mode="proved") as game:
        start(game)
        game.to_the_end()
        results = game.play.events(ResultPosted)
        assert [event.round for event in results] == [1, 2]
        assert {event.present for event in results} == {2**SLOTS - 1}


def test_who_withholds_is_complained_about_once_and_left_out(ground: Ground) -> None:
    with served(ground, trainer_attacks={2: TrainerAttack.WITHHOLD}, rounds__count=1) as game:
        start(game)
        game.to_the_end()
        assert game.play.events(ResultPosted)[0].present == (2**SLOTS - 1) ^ 0b100
        assert [event.slots for event in game.play.events(UpdatesComplained)] == [0b100]
        assert [event.slot for event in game.play.events(UpdateWithheld)] == [2]
        assert FAULTS == 1
