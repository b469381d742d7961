"""Trainers with differential privacy on a real market: noise in what is submitted, rounds left out at the budget."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from opacus.accountants import RDPAccountant
from structlog.testing import capture_logs

from marketplace.chain.events import UpdateSubmitted
from marketplace.spec.sections import PrivacySection
from tests.support.private_trainer import CHOICE, make_private, policy_for
from tests.support.stepped_market import SLOTS, Ground, Play, play
from trainer_node import submitting
from trainer_node.prepared import Prepared
from trainer_node.privacy import Choice
from trainer_node.privacy_budget import kept


def spent(game: Play, index: int) -> dict[str, Any]:
    """What the journal says, its epsilon made anew by opacus alone."""
    record = kept(game.trainers[index].journal, game.project)
    assert record is not None
    accountant = RDPAccountant()
    accountant.history = [tuple(entry) for entry in record["history"]]
    assert record["epsilon_spent"] == pytest.approx(accountant.get_epsilon(record["delta"]), rel=1e-9)
    return record


def own_update(game: Play, index: int, round_: int) -> np.ndarray:
    prepared = Prepared.recall(game.trainers[index].journal, game.project, round_)
    assert prepared is not None
    assert prepared.own is not None
    return prepared.own.update


def play_round(game: Play) -> set[int]:
    """Slots of who submitted in the round that is open; its result opens the next."""
    round_, boss = game.state.round, game.aggregators[0]
    game.submit()
    events: list[Any] = game.events(UpdateSubmitted)
    boss.post(boss.result(boss.opened()))
    game.step()
    return {event.slot for event in events if event.round == round_}


def test_at_the_budget_a_trainer_abstains_and_says_so(ground: Ground) -> None:
    owners: dict[str, object] = {"privacy__epsilon": 900.0, "privacy__delta": 1e-3}
    with play(ground, rounds__count=3, **owners) as game, capture_logs() as logs:
        assert game.trainers[0].context.spec.privacy == PrivacySection(epsilon=900.0, delta=1e-3)
        one_round = policy_for(game.trainers[0], CHOICE).epsilon_of(1)
        make_private(game.trainers[0], replace(CHOICE, epsilon=1.001 * one_round))
        game.start()
        assert play_round(game) == set(range(SLOTS))
        assert spent(game, 0)["rounds_left"] == 0
        assert play_round(game) == set(range(1, SLOTS))
        game.add_trainer(0)  # killed, and started again without an option: its journal knows
        make_private(game.trainers[0], Choice())
        game.step()
        assert Prepared.recall(game.trainers[0].journal, game.project, game.state.round) is None
        assert spent(game, 0)["epsilon_spent"] == pytest.approx(one_round)
    said = [(log["event"], log["round"]) for log in logs if "privacy" in log["event"]]
    abstaining = "abstaining: the privacy budget does not allow this round"
    assert said == [("privacy spent", 1), (abstaining, 2), (abstaining, 3), (abstaining, 3)]


def test_a_round_trained_again_after_a_kill_is_the_same_and_costs_nothing(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Prepared] = []
    honest = submitting.prepare

    def killed(*given: Any, **named: Any) -> Prepared:
        made.append(honest(*given, **named))
        raise KeyboardInterrupt

    with play(ground) as game:
        game.trainers[1].worker = game.trainers[0].worker  # alike in all but the secret
        for index in (0, 1):
            make_private(game.trainers[index], CHOICE)
        game.start()
        monkeypatch.setattr(submitting, "prepare", killed)
        with pytest.raises(KeyboardInterrupt):  # trainer 0 looks first
            game.step()
        monkeypatch.undo()
        once = spent(game, 0)
        game.add_trainer(0)
        make_private(game.trainers[0], Choice())
        game.step()
        assert spent(game, 0) == once
        (lost,) = made
        assert lost.own is not None
        again, twins = own_update(game, 0, 1), own_update(game, 1, 1)
        np.testing.assert_array_equal(again, lost.own.update)
        assert (again == twins).mean() <= 0.1
