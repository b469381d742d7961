"""What differential privacy costs: accuracy where everybody adds noise, and the fate of one who does among others.

    python benchmarks/privacy.py [--dataset fashion-mnist] [--epsilons 1 3 8 30] [--seeds 3]
                                 [--epochs E] [--batch-size B] [--learning-rate L]

Ten trainers, two faults tolerated, none attacks; the settings that `fairshare project new` writes but for those given,
in the protocol's own integers, without chain or proof. Epsilon is of all rounds, at delta 1e-5.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from offchain.training import Model, Training, Update, parts_of
from rich.console import Console
from rich.table import Table

from marketplace.learning import datasets, evaluate
from marketplace.learning.data import Dataset
from marketplace.learning.private import private_delta
from marketplace.node.console import run as exit_status
from marketplace.protocol import fixed_point, krum
from marketplace.protocol.gram import gram
from marketplace.protocol.krum import ScoreRule
from trainer_node.privacy import Choice, Policy, policy_of

SLOTS, FAULTS, DELTA = 10, 2, 1e-5
FIRST = 0  # the slot of the one who adds noise alone


@dataclass
class Fate:
    """What became of the first slot, over rounds."""

    rounds: int = 0
    merged: int = 0
    struck: int = 0
    struck_in_all: int = 0  # of all slots
    scores: list[float] = field(default_factory=list)  # in medians of their round
    norms: list[float] = field(default_factory=list)  # in medians of their round


def policy_for(training: Training, part: Dataset, epsilon: float) -> Policy:
    """Of a trainer that makes this epsilon last for all rounds."""
    choice = Choice(epsilon=epsilon, delta=DELTA)
    policy = policy_of(None, choice, training.project.training, training.rounds, len(part))
    assert policy is not None
    return policy


def noisy_update(training: Training, model: Model, part: Dataset, policy: Policy, secret: bytes) -> Update:
    """As `Training.update`, with noise."""
    project = training.project
    recipe, weights = project.training, training.weights(model)
    delta = private_delta(training.task, weights, part, recipe, policy.noise, secret, "cpu", 1)
    clipped = fixed_point.clip(delta, recipe.clip_norm)
    return fixed_point.quantise(clipped, project.arithmetic.scale_bits, project.divisor)


def play(
    training: Training,
    parts: list[Dataset],
    evaluation: Dataset,
    epsilon: float | None,
    noisy: int,
    seed: int,
) -> tuple[float, Fate]:
    """Accuracy after all rounds where the first `noisy` trainers add noise, and what became of the first."""
    scoring = training.project.scoring
    rules = dataclasses.replace(
        training.rules(ScoreRule[scoring.fallback_rule.upper()]), strike_factor=scoring.strike_factor
    )
    policies = [None if epsilon is None else policy_for(training, part, epsilon) for part in parts[:noisy]]
    model, fate = training.initial(), Fate()
    for number in range(1, training.rounds + 1):
        updates = []
        for slot, part in enumerate(parts):
            policy = policies[slot] if slot < noisy else None
            name = f"{seed}/{number}/{slot}"
            if policy is None:
                updates.append(training.update(model, part, (seed * 1000 + number) * SLOTS + slot))
            else:
                secret = hashlib.sha256(name.encode()).digest()
                updates.append(noisy_update(training, model, part, policy, secret))
        everybody = range(SLOTS)
        matrix = gram(updates)
        judged = krum.judge(rules, matrix, everybody, [slot + 1 for slot in everybody])
        norms = np.sqrt([float(matrix[slot, slot]) for slot in everybody])
        fate.rounds += 1
        fate.merged += FIRST in judged.merged
        fate.struck += FIRST in judged.struck
        fate.struck_in_all += len(judged.struck)
        fate.scores.append(judged.scores[FIRST] / judged.scores[judged.median_score_slot])
        fate.norms.append(float(norms[FIRST] / np.median(norms)))
        model = fixed_point.apply_updates(model, [updates[slot] for slot in judged.merged])
    return evaluate.accuracy(training.task, training.weights(model), evaluation), fate


def compare(
    training: Training,
    data: tuple[Dataset, Dataset],
    epsilons: list[float | None],
    seeds: int,
    console: Console,
) -> None:
    """Print the table."""
    table = Table(
        "epsilon",
        "sigma",
        "all: accuracy (lowest)",
        "struck",
        "one: accuracy",
        "merged",
        "struck",
        "Krum score / median",
        "norm / median",
    )
    for epsilon in epsilons:
        together, alone, fates, struck = [], [], [], 0
        for seed in range(seeds):
            parts = parts_of(data[0], SLOTS, None, seed)
            accuracy, fate = play(training, parts, data[1], epsilon, SLOTS, seed)
            together.append(accuracy)
            struck += fate.struck_in_all
            accuracy, fate = play(training, parts, data[1], epsilon, 1, seed)
            alone.append(accuracy)
            fates.append(fate)
        rounds = sum(fate.rounds for fate in fates)
        scores = [score for fate in fates for score in fate.scores]
        norms = [norm for fate in fates for norm in fate.norms]
        sigma = (
            "-" if epsilon is None else f"{policy_for(training, parts[FIRST], epsilon).noise.multiplier:.2f}"
        )
        table.add_row(
            "none" if epsilon is None else f"{epsilon:g}",
            sigma,
            f"{np.mean(together):.3f} ({min(together):.3f})",
            f"{struck} of {rounds * SLOTS}",
            f"{np.mean(alone):.3f}",
            f"{sum(fate.merged for fate in fates)} of {rounds}",
            f"{sum(fate.struck for fate in fates)} of {rounds}",
            f"{min(scores):.2f} to {max(scores):.2f}",
            f"{min(norms):.2f} to {max(norms):.2f}",
        )
    console.print(table)


def main() -> int:
    """Exit 0 once the table is printed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dataset", choices=datasets.NAMES, default="digits")
    parser.add_argument("--folder", type=Path, help="where Fashion-MNIST's files are")
    parser.add_argument("--epsilons", type=float, nargs="+", default=[1.0, 3.0, 8.0, 30.0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--learning-rate", type=float)
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # models this small are slower with more
    data = datasets.load(arguments.dataset, arguments.folder)
    changes = {
        name: value
        for name in ("batch_size", "learning_rate")
        if (value := getattr(arguments, name)) is not None
    }
    training = Training(arguments.dataset, SLOTS, FAULTS, arguments.epochs, **changes)
    compare(training, data, [None, *arguments.epsilons], arguments.seeds, Console(width=140))
    return 0


if __name__ == "__main__":
    sys.exit(exit_status(main))
