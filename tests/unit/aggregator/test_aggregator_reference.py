"""Rounds with the owner's reference: it counts where it can be opened, and is complained about where it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from marketplace.chain.events import ReferenceSubmitted, ResultPosted, UpdatesComplained, UpdateWithheld
from marketplace.chain.types import Status
from marketplace.node.outcomes import posted_result
from tests.support.reference_game import Game, ReferenceGround
from tests.support.served_market import served
from tests.support.stepped_market import SLOTS, Ground

ALL = 2**SLOTS - 1


def test_with_the_reference_and_without(ground: Ground, tmp_path: Path) -> None:
    owners = ReferenceGround(ground.url, ground.deployment, tmp_path)
    with served(owners) as game:
        events = game.play.events
        owner = Game(game.play)
        owner.start_node()
        game.start()
        game.until_round(2)
        client, number = game.play.client, game.play.project
        game.until(lambda: len(events(ReferenceSubmitted)) == 2)
        owner.stop_node()  # what it submitted in round 2 is served by nobody
        game.until(lambda: game.state.status is not Status.ACTIVE)
        results: list[Any] = events(ResultPosted)
        assert [event.present for event in results] == [ALL, ALL]
        squares = [posted_result(client, number, event).gram[-1] for event in results]
        assert squares[0] > 0 == squares[1]
        complaints: list[Any] = events(UpdatesComplained)
        assert [(event.round, event.slots) for event in complaints] == [(2, 1 << SLOTS)]
        assert not events(UpdateWithheld)  # the owner loses nothing but the reference
