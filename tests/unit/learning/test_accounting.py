"""What training is said to cost is what opacus' accountants say of it."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from opacus.accountants import PRVAccountant, RDPAccountant

from marketplace.errors import FairshareError, Reason
from marketplace.learning.accounting import (
    Spending,
    epsilon,
    noise_for,
    noise_of_update,
    round_of,
    rounds_within,
    with_spending,
)
from marketplace.spec import ProjectFile, template

TRAINING = ProjectFile.from_toml(template("softmax")).training  # 10 epochs in batches of 16
DELTA = 1e-5
A_ROUND = round_of(144, TRAINING, 1.1)


def test_a_round_has_the_steps_of_its_epochs() -> None:
    assert Spending(1.1, 1 / 9, 90) == A_ROUND
    assert round_of(10, TRAINING, 2.0) == Spending(2.0, 1.0, 10)  # fewer rows than a batch: all in every step
    assert round_of(17, TRAINING, 2.0) == Spending(2.0, 0.5, 20)


def test_epsilon_is_the_accountants_step_by_step() -> None:
    history = with_spending(with_spending((), A_ROUND), A_ROUND)
    assert history == (A_ROUND._replace(steps=180),)
    other = Spending(0.9, 0.25, 3)
    stepped = RDPAccountant()
    for spending in (A_ROUND, A_ROUND, other):
        for _ in range(spending.steps):
            stepped.step(noise_multiplier=spending.noise_multiplier, sample_rate=spending.sample_rate)
    assert epsilon(with_spending(history, other), DELTA) == pytest.approx(
        stepped.get_epsilon(DELTA), rel=1e-12
    )
    assert epsilon((), DELTA) == 0


def test_it_is_no_less_than_what_the_tighter_accountant_finds() -> None:
    tight = PRVAccountant()
    tight.history = [tuple(A_ROUND)]
    said = epsilon([A_ROUND], DELTA)
    assert tight.get_epsilon(DELTA, eps_error=0.05) <= said < 2 * tight.get_epsilon(DELTA, eps_error=0.05)


@pytest.mark.parametrize(("budget", "rounds"), [(0.5, 1), (8.0, 5)])
def test_the_noise_that_is_chosen_makes_the_budget_last(budget: float, rounds: int) -> None:
    sigma = noise_for(budget, DELTA, A_ROUND, rounds)
    a_round = round_of(144, TRAINING, sigma)
    spent = epsilon([a_round._replace(steps=a_round.steps * rounds)], DELTA)
    assert 0.98 * budget < spent <= budget
    assert rounds_within((), a_round, budget, DELTA, 100) == rounds
    assert rounds_within([a_round], a_round, budget, DELTA, 100) == rounds - 1


def test_rounds_that_fit_are_counted_from_what_was_spent() -> None:
    budget = epsilon([A_ROUND._replace(steps=90 * 7)], DELTA)
    assert rounds_within((), A_ROUND, budget, DELTA, 50) == 7
    assert rounds_within((), A_ROUND, budget, DELTA, 4) == 4
    assert rounds_within([A_ROUND._replace(steps=90 * 7)], A_ROUND, budget, DELTA, 50) == 0


def test_a_budget_that_no_noise_meets() -> None:
    with pytest.raises(FairshareError) as caught:
        noise_for(1e-3, 1e-12, A_ROUND, 5)
    assert caught.value.reason is Reason.BAD_INPUT


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("steps", [1, 2, 37])
def test_noise_of_an_update_is_that_of_sgd_with_momentum(momentum: float, steps: int) -> None:
    a_round, rows, norm, rate = Spending(1.3, 0.25, steps), 80, 0.7, 0.05
    weights = np.zeros(steps)  # the coefficient of each step's noise
    velocity = np.zeros(steps)
    for step in range(steps):
        velocity = momentum * velocity
        velocity[step] += 1.3 * 0.7 / (0.25 * 80)
        weights -= rate * velocity
    expected = np.linalg.norm(weights)
    assert noise_of_update(a_round, norm, rows, rate, momentum) == pytest.approx(expected, rel=1e-9)


def test_without_opacus_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "opacus"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opacus", None)
    with pytest.raises(FairshareError) as caught:
        epsilon([A_ROUND], DELTA)
    assert caught.value.reason is Reason.TOOL_MISSING
    assert "fairshare[privacy]" in caught.value.hint
