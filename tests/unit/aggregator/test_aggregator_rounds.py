"""An aggregator's rounds on a real market: results, complaints, cohorts, take-overs, restarts."""

from __future__ import annotations

from typing import Any

import pytest

from aggregator.behaviour import Attack
from marketplace.chain.events import (
    AggregatorTimedOut,
    KeyResealed,
    ResultPosted,
    RoundSkipped,
    UpdatesComplained,
    UpdateSubmitted,
    UpdateWithheld,
)
from marketplace.chain.types import Status
from marketplace.node.telemetry.hooks import Work
from marketplace.node.telemetry.record import Record
from marketplace.updates.envelope import reseal
from tests.support.mortal_journal import killed_at_every_write
from tests.support.served_market import Served, served
from tests.support.stepped_market import SLOTS, Ground
from trainer_node.behaviour import Attack as TrainerAttack
from trainer_node.prepared import Prepared

ALL = 2**SLOTS - 1


def results(game: Served) -> list[Any]:
    return game.play.events(ResultPosted)


def test_a_proved_project_from_joining_to_the_end(ground: Ground) -> None:
    with served(ground, settlement__mode="proved") as game:
        game.duties[0].telemetry = record = Record()
        game.start()
        game.to_the_end()
        assert game.state.status is Status.SETTLED
        efforts, told = record.snapshot().efforts, record.snapshot().projects[game.play.project]
        assert efforts[Work.PROVING].times == efforts[Work.COMMITTING].times == 2
        assert efforts[Work.PROVING].seconds > 0
        assert told[0].status is Status.SETTLED
        assert [(event.round, event.present) for event in results(game)] == [(1, ALL), (2, ALL)]
        member = game.play.client.membership(game.play.project, game.address(0))
        fee = game.play.client.terms(game.play.project).aggregator_fee
        assert (member.locked, member.claimed) == (0, 2 * fee)


def test_who_withholds_is_complained_about_once_and_left_out(ground: Ground) -> None:
    with served(ground, trainer_attacks={2: TrainerAttack.WITHHOLD}, rounds__count=1) as game:
        game.start()
        game.until(lambda: results(game))
        assert [event.present for event in results(game)] == [ALL ^ 0b100]
        complaints: list[Any] = game.play.events(UpdatesComplained)
        assert [event.slots for event in complaints] == [0b100]
        withheld: list[Any] = game.play.events(UpdateWithheld)
        assert [event.slot for event in withheld] == [2]


def test_a_round_that_too_many_withhold_is_skipped(ground: Ground) -> None:
    withholding = dict.fromkeys((0, 3), TrainerAttack.WITHHOLD)
    with served(ground, trainer_attacks=withholding, rounds__count=1) as game:
        game.start()
        game.until(lambda: game.state.status is not Status.ACTIVE)
        assert len(game.play.events(RoundSkipped)) == 1
        assert len(game.play.events(UpdateWithheld)) == 2
        assert not results(game)


def test_cohorts_are_concluded_one_after_another(ground: Ground) -> None:
    with served(
        ground, trainers=2 * SLOTS, cohort__cohorts=2, rounds__count=1, settlement__mode="on-demand"
    ) as game:
        game.start()
        game.to_the_end()
        assert game.state.status is Status.SETTLED
        assert sorted(event.cohort for event in results(game)) == [0, 1]


def test_the_next_aggregator_takes_over(ground: Ground) -> None:
    with served(ground, attacks={0: Attack.WITHHOLD}, rounds__count=1) as game:
        game.start()
        game.until(lambda: results(game))
        timed_out: list[Any] = game.play.events(AggregatorTimedOut)
        assert [event.aggregator for event in timed_out] == [game.address(0)]
        assert len(game.play.events(KeyResealed)) == SLOTS
        assert [(e.aggregator, e.present) for e in results(game)] == [(game.address(1), ALL)]


def test_keys_that_were_sealed_to_it_before_its_turn_count(ground: Ground) -> None:
    """As after a reorganisation that put them before the take-over that they were sealed for."""
    with served(ground, attacks={0: Attack.WITHHOLD}, rounds__count=1) as game:
        game.start()
        game.until(lambda: len(game.play.events(UpdateSubmitted)) == SLOTS)
        game.at(game.state.submit_deadline)
        for trainer in game.play.trainers.values():
            prepared = Prepared.recall(trainer.journal, game.play.project, 1)
            assert prepared is not None
            sealed = reseal(prepared.own.content_key, trainer.peers.aggregator(1).encryption_key)
            call = trainer.context.client.market.functions.reseal(game.play.project, 1, sealed)
            trainer.sender.send(f"reseal:{game.play.project}:1:1", call)
        game.until(lambda: results(game))
        resealed: list[Any] = game.play.events(KeyResealed)
        assert [event.aggregator_index for event in resealed] == [0] * SLOTS
        assert not game.play.events(UpdatesComplained)
        assert [(e.aggregator, e.present) for e in results(game)] == [(game.address(1), ALL)]


@pytest.mark.parametrize("mode", ["proved", "on-demand"])
def test_killed_at_any_write_it_goes_on_and_posts_once(ground: Ground, mode: str) -> None:
    with served(ground, rounds__count=1, settlement__mode=mode) as game:
        died = killed_at_every_write(game, lambda: results(game))
        assert died >= {"join-as-aggregator", "start", "update", "posting", "posted-slots", "result"}
        assert ("proof" in died) == (mode == "proved")
        assert [event.present for event in results(game)] == [ALL]
