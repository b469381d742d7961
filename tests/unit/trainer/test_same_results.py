"""Who trains the same project again has the same models, to the byte, and the same pay, to the wei."""

from __future__ import annotations

from dataclasses import dataclass

from marketplace.chain.events import ResultPosted
from tests.support.stepped_market import SLOTS, Ground, play

ROUNDS = 2


@dataclass(frozen=True)
class Outcome:
    """Of each round: digest of the model's bytes, who was merged, and wei by slot."""

    models: list[bytes]
    merged: list[int]
    amounts: list[tuple[int, ...]]


def outcome(ground: Ground, *, reverse: bool) -> Outcome:
    """A project whose trainers join in one order, and submit in that order or the other way round."""
    with play(ground) as game:
        game.start()
        if reverse:
            game.trainers = dict(reversed(game.trainers.items()))
        boss = game.aggregators[0]
        for _ in range(ROUNDS):
            game.submit()
            updates = boss.opened()
            assert len(updates) == SLOTS
            boss.post(boss.result(updates))
            game.step()
        posted = [event for event in game.events(ResultPosted) if isinstance(event, ResultPosted)]
        return Outcome(
            [event.model for event in posted],
            [event.merged for event in posted],
            [tuple(event.amounts) for event in posted],
        )


def test_another_run_and_another_order_of_submissions_change_nothing(ground: Ground) -> None:
    first, second, third = (outcome(ground, reverse=reverse) for reverse in (False, False, True))
    assert first == second == third
    assert len(set(first.models)) == ROUNDS
    assert all(sum(amounts) > 0 for amounts in first.amounts)
