"""Trainers on a chain that is reorganised: what they made is kept, what they sent is sent again, and just once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from marketplace.chain.events import KeyResealed, UpdateSubmitted
from marketplace.chain.types import Status
from tests.support.reorganised import mine, reorganise
from tests.support.stepped_market import SLOTS, WINDOWS, Ground, play
from trainer_node.prepared import Prepared

CONFIRMATIONS, DEPTH = 8, 3


@pytest.fixture
def deep(ground: Ground) -> Ground:
    """Nodes that are prepared for reorganisations."""
    return replace(ground, confirmations=CONFIRMATIONS)


@pytest.mark.parametrize("restarted", [False, pytest.param(True, marks=pytest.mark.deep)])
def test_a_submission_that_vanished_is_submitted_again_once(deep: Ground, restarted: bool) -> None:
    with play(deep) as game:
        game.start()
        game.step()
        before: list[Any] = game.events(UpdateSubmitted)
        assert len(before) == SLOTS
        reorganise(game.client, DEPTH)
        assert 0 < len(game.events(UpdateSubmitted)) < SLOTS
        if restarted:
            for index in range(SLOTS):
                game.add_trainer(index)
        game.step()
        game.step()
        after: list[Any] = game.events(UpdateSubmitted)
        assert {(e.trainer, e.digest, e.transaction_hash) for e in after} == {
            (e.trainer, e.digest, e.transaction_hash) for e in before
        }
        assert len(after) == SLOTS
        game.submit()
        updates = game.aggregators[0].opened()
        assert sorted(updates) == list(range(SLOTS))  # and it is what was committed to


@pytest.mark.deep
def test_keys_that_were_sealed_anew_are_so_again(deep: Ground) -> None:
    with play(deep) as game:
        game.start()
        game.submit()
        game.step(game.state.result_deadline + WINDOWS["result"] // 2)
        for trainer in game.trainers.values():
            game.at(0)
            trainer.step()
            if len(game.events(KeyResealed)) == SLOTS:
                break
        before = game.events(KeyResealed)
        assert len(before) == SLOTS
        reorganise(game.client, DEPTH)
        assert len(game.events(KeyResealed)) < SLOTS
        game.step()
        game.step()
        assert len(game.events(KeyResealed)) == SLOTS
        assert {e.transaction_hash for e in game.events(KeyResealed)} == {e.transaction_hash for e in before}


@pytest.mark.deep
def test_nothing_is_forgotten_before_it_is_final(deep: Ground) -> None:
    with play(deep, rounds__count=3) as game:
        game.start()
        for _ in range(2):
            game.submit()
            boss = game.aggregators[0]
            boss.post(boss.result(boss.opened()))
        trainer = game.trainers[0]
        game.at(0)
        trainer.step()
        assert game.state.round == 3
        assert Prepared.recall(trainer.journal, game.project, 1) is not None
        mine(game.client, CONFIRMATIONS)
        trainer.step()
        assert Prepared.recall(trainer.journal, game.project, 1) is None
        assert Prepared.recall(trainer.journal, game.project, 2) is not None


@pytest.mark.deep
def test_nobody_ends_before_it_is_final(deep: Ground) -> None:
    with play(deep, rounds__count=1) as game:
        game.start()
        game.submit()
        boss = game.aggregators[0]
        boss.post(boss.result(boss.opened()))
        game.step(game.state.challenge_deadline + 60)
        trainer = game.trainers[0]
        game.at(0)
        assert trainer.step()
        assert game.state.status is Status.SETTLED
        reorganise(game.client, DEPTH)
        assert trainer.step()
        for _ in range(CONFIRMATIONS):
            game.step()
        mine(game.client, CONFIRMATIONS)
        assert not trainer.step()
        assert trainer.sender.is_settled
