"""What robust merging is worth: a project under attack, against the same project merged in other ways.

    python benchmarks/aggregation.py [--dataset fashion-mnist] [--alpha 0.5] [--seeds 5]

Every run trains with the settings that `fairshare project new` writes, in the protocol's own integers, without chain
or proof (neither changes a number). Ten trainers, two faults tolerated; in the attacked runs one trainer flips its
update's sign at the full length that the norm bound allows, one copies another's commitment, one trains
on flipped labels.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from marketplace.errors import FairshareError
from marketplace.learning import datasets, evaluate, split, tasks, train
from marketplace.learning.data import Dataset
from marketplace.protocol import fixed_point, krum
from marketplace.protocol.gram import gram
from marketplace.spec import ProjectFile, template
from trainer_node.behaviour import Attack, Behaviour

Update = NDArray[np.int16]
Model = NDArray[np.int32]

TASK_OF = {"digits": "softmax", "fashion-mnist": "mlp"}
HONEST = "honest"
CAST = (Attack.SIGN_FLIP, Attack.COPY, Attack.LABEL_FLIP)


@dataclass
class Seen:
    """What the protocol made of each behaviour, over rounds and seeds."""

    rounds: Counter[str] = field(default_factory=Counter)
    merged: Counter[str] = field(default_factory=Counter)
    paid: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    scores: dict[str, list[float]] = field(default_factory=dict)  # in medians of their round


class Experiment:
    """One seed: a split, a cast of attackers, and the settings of a project file."""

    def __init__(self, project: ProjectFile, parts: list[Dataset], evaluation: Dataset, seed: int) -> None:
        self.project, self.parts, self.evaluation, self.seed = project, parts, evaluation, seed
        self.task = tasks.load(project.task)
        slots = np.random.default_rng(seed).permutation(len(parts)).tolist()
        self.attackers: dict[int, str] = dict(zip(slots, CAST, strict=False))
        self.rules = krum.Rules(
            slots=project.cohort.trainers,
            faults=project.cohort.faults,
            max_norm_squared=project.max_norm_squared,
            score_rule=krum.ScoreRule[project.scoring.rule.upper()],
            strike_factor=project.scoring.strike_factor,
            duplicate_cosine=project.scoring.duplicate_cosine,
        )

    def run(self, merge: Callable[[Model, list[Update]], Model], attacked: bool) -> float:
        """Accuracy on the evaluation set after all rounds, merging with `merge`."""
        bits = self.project.arithmetic.scale_bits
        model = fixed_point.to_model(self.task.initial(self.project.training.seed), bits)
        behaviours = [self.attackers.get(i, HONEST) if attacked else HONEST for i in range(self.rules.slots)]
        for number in range(1, self.project.rounds.count + 1):
            weights = fixed_point.dequantise(model, bits)
            model = merge(model, self.updates(weights, behaviours, number))
        return evaluate.accuracy(self.task, fixed_point.dequantise(model, bits), self.evaluation)

    def updates(self, weights: NDArray[np.float64], behaviours: list[str], number: int) -> list[Update]:
        """The ten updates of a round, in slot order; a copy is its victim's update."""
        own = [
            None if behaviour == Attack.COPY else self.update(weights, behaviour, slot, number)
            for slot, behaviour in enumerate(behaviours)
        ]
        victim = own[behaviours.index(HONEST)]
        assert victim is not None
        return [victim if update is None else update for update in own]

    def update(self, weights: NDArray[np.float64], behaviour: str, slot: int, number: int) -> Update:
        """One trainer's quantised update."""
        training = self.project.training
        acts = Behaviour(None if behaviour == HONEST else Attack(behaviour))
        data = acts.dataset(self.parts[slot], self.task.classes)
        seed = (self.seed * 1000 + number) * self.rules.slots + slot
        delta = train.local_delta(self.task, weights, data, training, seed, "cpu", 1)
        clipped = fixed_point.clip(delta, training.clip_norm)
        honest = fixed_point.quantise(clipped, self.project.arithmetic.scale_bits, self.project.divisor)
        return acts.update(honest, self.rules.max_norm_squared, seed)

    def by_protocol(self, seen: Seen, attacked: bool) -> Callable[[Model, list[Update]], Model]:
        """Multi-Krum as the contract does it; the copy opens for nobody, so the aggregator omits it."""
        behaviours = [self.attackers.get(i, HONEST) if attacked else HONEST for i in range(self.rules.slots)]
        omitted = [slot for slot, behaviour in enumerate(behaviours) if behaviour == Attack.COPY]

        def merge(model: Model, updates: list[Update]) -> Model:
            slots = range(self.rules.slots)
            opened = [None if slot in omitted else updates[slot] for slot in slots]
            judged = krum.judge(self.rules, gram(opened), slots, omitted, [slot + 1 for slot in slots])
            median = judged.scores[judged.median_score_slot]
            for slot, behaviour in enumerate(behaviours):
                seen.rounds[behaviour] += 1
                seen.merged[behaviour] += slot in judged.merged
                seen.paid[behaviour] += judged.contributions[slot] > 0
                seen.struck[behaviour] += slot in judged.struck
                if slot in judged.present:
                    seen.scores.setdefault(behaviour, []).append(judged.scores[slot] / median)
            return fixed_point.apply_updates(model, [updates[slot] for slot in judged.merged])

        return merge

    def by_mean(self, slots: list[int]) -> Callable[[Model, list[Update]], Model]:
        """The plain mean of these slots' updates."""

        def merge(model: Model, updates: list[Update]) -> Model:
            total = np.sum([updates[slot] for slot in slots], axis=0, dtype=np.float64)
            return (model + np.rint(total * self.project.divisor / len(slots))).astype(np.int32)

        return merge


def compare(
    project: ProjectFile, data: tuple[Dataset, Dataset], alpha: float | None, seeds: int, console: Console
) -> bool:
    """Print both tables; whether the protocol's accuracy is what this project promises, on every seed."""
    table = Table("seed", "protocol, attacked", "protocol, no attack", "honest mean", "plain mean, attacked")
    seen, results = Seen(), []
    for seed in range(seeds):
        slots = project.cohort.trainers
        parts = (
            split.iid(data[0], slots, seed) if alpha is None else split.dirichlet(data[0], slots, alpha, seed)
        )
        experiment = Experiment(project, parts, data[1], seed)
        honest = [slot for slot in range(slots) if slot not in experiment.attackers]
        row = (
            experiment.run(experiment.by_protocol(seen, True), True),
            experiment.run(experiment.by_protocol(seen, False), False),
            experiment.run(experiment.by_mean(honest), True),
            experiment.run(experiment.by_mean(list(range(slots))), True),
        )
        results.append(row)
        table.add_row(str(seed), *(f"{value:.3f}" for value in row))
    accuracies = np.array(results)
    table.add_row("mean", *(f"{value:.3f}" for value in accuracies.mean(axis=0)))
    console.print(table)
    console.print(_fates(seen))
    attacked, clean, _, plain = accuracies.T
    console.print(
        f"lowest accuracy {attacked.min():.3f}; lost to the attack at most {(clean - attacked).max():.3f}; "
        f"plain mean worse by at least {(attacked - plain).min():.3f}"
    )
    return bool((clean - attacked).max() <= 0.02 and (attacked - plain).min() >= 0.10)


def _fates(seen: Seen) -> Table:
    table = Table("behaviour", "rounds", "merged", "paid", "struck", "Krum score / median")
    for behaviour, rounds in seen.rounds.items():
        scores = seen.scores.get(behaviour)
        table.add_row(
            behaviour,
            str(rounds),
            *(str(counter[behaviour]) for counter in (seen.merged, seen.paid, seen.struck)),
            f"{min(scores):.2f} to {max(scores):.2f}" if scores else "-",
        )
    return table


def main() -> int:
    """Exit 0 where, on every seed, the attack costs at most 0.02 and the plain mean is at least 0.10 worse."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dataset", choices=datasets.NAMES, default="digits")
    parser.add_argument("--folder", type=Path, help="where Fashion-MNIST's files are")
    parser.add_argument("--alpha", type=float, help="Dirichlet split; IID without it")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    try:
        project = ProjectFile.from_toml(template(TASK_OF[arguments.dataset]))
        data = datasets.load(arguments.dataset, arguments.folder)
        holds = compare(project, data, arguments.alpha, arguments.seeds, Console(width=100))
    except FairshareError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
