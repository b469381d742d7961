"""A trainer's daemon that trains with differential privacy, as its command would set it up."""

from __future__ import annotations

from dataclasses import replace

from marketplace.node import logging
from trainer_node.daemon import TrainerDaemon
from trainer_node.privacy import Choice, Policy, policy_of
from trainer_node.privacy_budget import PrivacyBudget, kept_choice

CHOICE = Choice(delta=1e-3, epsilon=500.0, noise_multiplier=2.0)  # for some rounds on 20 rows


def policy_for(trainer: TrainerDaemon, choice: Choice) -> Policy:
    spec, rounds = trainer.context.spec, trainer.context.terms.rounds
    policy = policy_of(spec.privacy, choice, spec.training, rounds, len(trainer.worker.dataset))
    assert policy is not None
    return policy


def make_private(trainer: TrainerDaemon, chosen: Choice = CHOICE) -> None:
    """From now on it trains with noise; what its journal knows of an earlier choice counts."""
    journal, project = trainer.journal, trainer.context.project
    choice = chosen.over(kept_choice(journal, project))
    policy, rounds = policy_for(trainer, choice), trainer.context.terms.rounds
    budget = PrivacyBudget(journal, project, rounds, choice, policy, logging.logger())
    trainer.worker = replace(trainer.worker, privacy=budget)
