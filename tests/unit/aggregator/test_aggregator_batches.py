"""Rounds by batch: trainers hand over by HTTP, the aggregator posts, a stand-in goes on with the list or without."""

from __future__ import annotations

from typing import Any

from aggregator.behaviour import Attack
from marketplace.chain.events import BatchPosted, ResultPosted, RoundSkipped, UpdateSubmitted
from marketplace.chain.types import Status
from tests.support.served_market import Served, served
from tests.support.stepped_market import SLOTS, Ground
from trainer_node.behaviour import Attack as TrainerAttack

ALL = 2**SLOTS - 1
BATCH_WINDOW = 500


def events(game: Served, kind: Any) -> list[Any]:
    return game.play.events(kind)


def test_a_round_by_batch_alone(ground: Ground) -> None:
    with served(ground, listens=True, rounds__batch_window=BATCH_WINDOW, rounds__count=1) as game:
        game.start()
        game.until(lambda: events(game, ResultPosted))
        assert [event.slots for event in events(game, BatchPosted)] == [ALL]
        assert not events(game, UpdateSubmitted)
        assert [event.present for event in events(game, ResultPosted)] == [ALL]


def test_a_batch_is_cut_in_time_and_survives_a_restart(ground: Ground) -> None:
    absent = {4: TrainerAttack.ABSENT}
    with served(
        ground,
        listens=True,
        trainer_attacks=absent,
        rounds__batch_window=BATCH_WINDOW,
        rounds__count=1,
    ) as game:
        game.start()
        game.step()
        game.add(0)
        game.until(lambda: events(game, BatchPosted))
        game.add(0)
        game.until(lambda: events(game, ResultPosted))
        assert [event.slots for event in events(game, BatchPosted)] == [ALL ^ 0b10000]
        assert [event.present for event in events(game, ResultPosted)] == [ALL ^ 0b10000]


def test_a_stand_in_opens_the_batch_of_the_one_before(ground: Ground) -> None:
    with served(
        ground,
        listens=True,
        attacks={0: Attack.WITHHOLD},
        rounds__batch_window=BATCH_WINDOW,
        rounds__count=1,
    ) as game:
        game.start()
        game.until(lambda: events(game, ResultPosted))
        assert [event.aggregator_index for event in events(game, BatchPosted)] == [0]
        (result,) = events(game, ResultPosted)
        assert (result.aggregator, result.present) == (game.address(1), ALL)


def test_a_stand_in_that_cannot_have_the_list_skips(ground: Ground) -> None:
    with served(
        ground,
        listens=True,
        attacks={0: Attack.WITHHOLD},
        rounds__batch_window=BATCH_WINDOW,
        rounds__count=1,
        training__learning_rate=0.03,
    ) as game:
        game.start()
        game.until(lambda: game.play.client.latest_block().timestamp >= game.state.submit_deadline)
        lists = [cid for cid, data in ground.store.blobs.items() if data.startswith(b'{"entries"')]
        ground.store.hidden.update(lists)
        game.until(lambda: game.state.status is not Status.ACTIVE)
        assert len(events(game, RoundSkipped)) == 1
        assert not events(game, ResultPosted)
