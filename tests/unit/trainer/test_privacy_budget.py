"""A trainer's budget: counted before it is spent, never twice for the same update, over at the budget."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from opacus.accountants import RDPAccountant

from marketplace.learning.data import Dataset
from marketplace.node import logging
from marketplace.node.journal import Journal
from marketplace.spec import ProjectFile, template
from trainer_node.prepared import forget_before
from trainer_node.privacy import Choice, Policy, policy_of
from trainer_node.privacy_budget import (
    SECRETS,
    PrivacyBudget,
    history_in,
    kept,
    kept_choice,
    occasion_of,
    shown,
)

TRAINING = ProjectFile.from_toml(template("softmax")).training
PROJECT, ROUNDS, ROWS = 7, 3, 144
CHOICE = Choice(epsilon=2.0)
A, B = b"a" * 32, b"b" * 32


def policy_from(choice: Choice) -> Policy:
    found = policy_of(None, choice, TRAINING, ROUNDS, ROWS)
    assert found is not None
    return found


POLICY = policy_from(CHOICE)


def opened(journal: Journal, choice: Choice = CHOICE) -> PrivacyBudget:
    policy = POLICY if choice == CHOICE else policy_from(choice)
    return PrivacyBudget(journal, PROJECT, ROUNDS, choice, policy, logging.logger())


def recomputed(journal: Journal) -> float:
    """Epsilon by opacus alone, from what the journal holds."""
    record = journal.get(PROJECT, 0, "privacy")
    accountant = RDPAccountant()
    for sigma, rate, steps in record["history"]:
        for _ in range(steps):
            accountant.step(noise_multiplier=sigma, sample_rate=rate)
    return float(accountant.get_epsilon(record["delta"]))


def test_epsilon_is_the_accountants_after_every_round_and_the_budget_ends(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        budget = opened(journal)
        assert shown(kept(journal, PROJECT) or {})["epsilon_spent"] == 0
        for round_ in range(1, ROUNDS + 1):
            assert budget.pay(round_, A) is not None
            said = kept(journal, PROJECT)
            assert said is not None
            assert said["epsilon_spent"] == pytest.approx(recomputed(journal), rel=1e-9)
            assert said["epsilon_spent"] <= 2.0
            assert said["rounds_left"] == ROUNDS - round_
        before = kept(journal, PROJECT)
        assert budget.pay(ROUNDS + 1, A) is None
        assert kept(journal, PROJECT) == before
        assert journal.names(PROJECT, ROUNDS + 1) == ()
        steps = sum(spending.steps for spending in history_in(before))
        assert steps == ROUNDS * POLICY.a_round.steps


def test_it_survives_restarts(tmp_path: Path) -> None:
    for round_ in range(1, ROUNDS + 3):
        with Journal(tmp_path / "journal") as journal:
            paid = opened(journal).pay(round_, A)
            assert (paid is not None) == (round_ <= ROUNDS)


def test_a_round_trained_again_with_the_same_seed_costs_nothing_more(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        first = opened(journal).pay(1, A)
        spent = kept(journal, PROJECT)
    with Journal(tmp_path / "journal") as journal:  # killed while it trained
        again = opened(journal).pay(1, A)
        assert first is not None
        assert again == first
        assert kept(journal, PROJECT) == spent


def test_another_occasion_has_another_seed_and_costs_as_much(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        budget = opened(journal)
        paid = [budget.pay(1, A), budget.pay(1, B), budget.pay(2, A)]
        assert len({one.secret for one in paid if one is not None}) == 3
        assert history_in(kept(journal, PROJECT))[0].steps == 3 * POLICY.a_round.steps
        assert budget.pay(1, B) == paid[1]
        assert budget.pay(3, A) is None


def test_seeds_are_nobodys_to_choose(tmp_path: Path) -> None:
    """Two nodes that are alike in everything, the seed of their batches included."""
    secrets = set()
    for name in ("one", "two"):
        with Journal(tmp_path / name) as journal:
            paid = opened(journal).pay(1, A)
            assert paid is not None
            assert len(paid.secret) == 32
            assert paid.secret.hex() not in repr(paid)
            secrets.add(paid.secret)
    assert len(secrets) == 2


def test_a_payment_is_written_down_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Journal.put

    def torn(self: Journal, project: int, round: int, name: str, value: object) -> None:
        put(self, project, round, name, value)
        if name == SECRETS:
            raise KeyboardInterrupt

    with Journal(tmp_path / "journal") as journal:
        budget = opened(journal)
        monkeypatch.setattr(Journal, "put", torn)
        with pytest.raises(KeyboardInterrupt):
            budget.pay(1, A)
        monkeypatch.undo()
        assert journal.names(PROJECT, 1) == ()
        assert history_in(kept(journal, PROJECT)) == ()


def test_what_was_spent_under_other_options_counts(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        opened(journal).pay(1, A)
        assert kept_choice(journal, PROJECT) == CHOICE
        louder = Choice(epsilon=4.0, delta=1e-6, noise_multiplier=3.0)
        budget = opened(journal, louder)
        assert kept_choice(journal, PROJECT) == louder
        said = kept(journal, PROJECT)
        assert said is not None
        assert said["epsilon_spent"] == pytest.approx(recomputed(journal), rel=1e-9)
        assert budget.pay(1, A + b"louder") is not None
        entries = history_in(kept(journal, PROJECT))
        assert [entry.noise_multiplier for entry in entries] == [POLICY.noise.multiplier, 3.0]
        assert (kept(journal, PROJECT) or {})["epsilon_spent"] == pytest.approx(recomputed(journal), rel=1e-9)


def test_projects_have_budgets_of_their_own(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        opened(journal).pay(1, A)
        assert kept(journal, PROJECT + 1) is None
        assert kept_choice(journal, PROJECT + 1) is None


def test_secrets_of_past_rounds_are_forgotten_and_what_they_cost_is_not(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        budget = opened(journal)
        budget.pay(1, A)
        budget.pay(2, A)
        forget_before(journal, PROJECT, 2)
        assert journal.names(PROJECT, 1) == ()
        assert journal.names(PROJECT, 2) == (SECRETS,)
        assert history_in(kept(journal, PROJECT))[0].steps == 2 * POLICY.a_round.steps


def test_an_occasion_is_all_that_training_depends_on() -> None:
    model = np.arange(6, dtype=np.int32)
    data = Dataset(np.ones((3, 2), dtype=np.float32), np.array([0, 1, 1]))
    other = policy_from(Choice(epsilon=2.0, max_grad_norm=0.5))
    occasions = {
        occasion_of(model, data, TRAINING, POLICY),
        occasion_of(model + np.int32(1), data, TRAINING, POLICY),
        occasion_of(model, data.rows(np.arange(2)), TRAINING, POLICY),
        occasion_of(model, Dataset(data.X, data.y[::-1]), TRAINING, POLICY),
        occasion_of(model, data, TRAINING.model_copy(update={"epochs": 1}), POLICY),
        occasion_of(model, data, TRAINING, other),
    }
    assert len(occasions) == 6
    assert occasion_of(model.copy(), data, TRAINING, dataclasses.replace(POLICY, epsilon=9.0)) in occasions
