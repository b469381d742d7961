"""Rounds on the sketch path: all roles' daemons play them by themselves, and what is false in them costs its maker."""

from __future__ import annotations

from typing import Any

from marketplace.chain.events import (
    Challenged,
    ResultPosted,
    RoundUndone,
    SketchDrawn,
)
from marketplace.chain.types import ChallengeKind, Status
from tests.support.served_market import Served, served
from tests.support.stepped_market import SKETCHED, SLOTS, Ground

ALL = 2**SLOTS - 1


def events(game: Served, kind: Any) -> list[Any]:
    return game.play.events(kind)


def test_a_quiet_project_settles(ground: Ground) -> None:
    with served(ground, **SKETCHED) as game:
        game.start()
        game.to_the_end()
        assert game.state.status is Status.SETTLED
        assert [event.round for event in events(game, SketchDrawn)] == [1, 2]
        assert [event.present for event in events(game, ResultPosted)] == [ALL, ALL]
        assert not events(game, Challenged)
