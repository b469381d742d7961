"""How often honest trainers are struck, and how often attackers are, by strike factor.

    python benchmarks/strikes.py [--dataset NAME] [--slots 10] [--rows N] [--seeds 5]

Trainers in every round (f as `fairshare project new` advises), each with N rows on average, or all rows among them,
with the settings that `fairshare project new` writes, IID and Dirichlet(0.5) and (0.1) splits.
The model goes on as honest rounds move it. In each round the Krum scores, in medians of the round, are taken without
an attack, and once for each attack with f trainers' updates replaced: flipped or random at the full length that the
norm bound allows, blown up beyond it, or trained on flipped labels.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from offchain import tables
from offchain.training import Training, Update, parts_of
from rich.console import Console
from rich.table import Table

from marketplace.learning import datasets
from marketplace.learning.data import Dataset
from marketplace.node.console import run as exit_status
from marketplace.owner.draft import faults_of
from marketplace.protocol import fixed_point
from marketplace.protocol.gram import gram
from marketplace.protocol.krum import ScoreRule, judge
from trainer_node.behaviour import Attack, Behaviour

ATTACKS = (Attack.SIGN_FLIP, Attack.RANDOM, Attack.SCALE, Attack.LABEL_FLIP)
FACTORS = (200, 250, 300, 400, 500, 600, 800, 1000)
SPLITS: tuple[float | None, ...] = (None, 0.5, 0.1)
ROWS = {"fashion-mnist": 5000}  # of the training set: an update takes a second otherwise
BEYOND = float("inf")  # an update beyond the norm bound is struck whatever the factor


@dataclass
class Seen:
    """Krum scores in medians of their round."""

    honest: dict[tuple[int, int], list[float]] = field(
        default_factory=lambda: defaultdict(list)
    )  # seed, slot
    beside: list[float] = field(default_factory=list)  # of honest trainers in attacked rounds
    attackers: dict[Attack, list[float]] = field(default_factory=lambda: defaultdict(list))


def watch(training: Training, data: Dataset, alpha: float | None, seed: int, seen: Seen) -> None:
    """One project."""
    slots, faults = training.project.cohort.slots, training.project.cohort.faults
    parts = parts_of(data, slots, alpha, seed)
    attackers = np.random.default_rng(seed).permutation(slots)[:faults].tolist()
    model, bound = training.initial(), training.project.max_norm_squared
    for round_ in range(1, training.rounds + 1):
        seeds = [(seed * 1000 + round_) * slots + slot for slot in range(slots)]
        honest = [training.update(model, part, each) for part, each in zip(parts, seeds, strict=True)]
        for slot, ratio in ratios(training, honest).items():
            seen.honest[seed, slot].append(ratio)
        for attack in ATTACKS:
            acts, updates = Behaviour(attack), list(honest)
            for slot in attackers:
                data_of = acts.dataset(parts[slot], training.task.classes)
                own = (
                    training.update(model, data_of, seeds[slot])
                    if data_of is not parts[slot]
                    else honest[slot]
                )
                updates[slot] = acts.update(own, bound, seeds[slot])
            for slot, ratio in ratios(training, updates).items():
                (seen.attackers[attack] if slot in attackers else seen.beside).append(ratio)
        verdict = judge(training.rules(ScoreRule.PROJECTION), gram(honest), range(slots), range(1, slots + 1))
        model = fixed_point.apply_updates(model, [honest[slot] for slot in verdict.merged])


def ratios(training: Training, updates: list[Update]) -> dict[int, float]:
    """By slot, the Krum score in medians."""
    slots = range(training.project.cohort.slots)
    verdict = judge(training.rules(ScoreRule.PROJECTION), gram(updates), slots, [1 + slot for slot in slots])
    median = verdict.scores[verdict.median_score_slot] or 1  # all are 0 where the oversized leave no quorum
    return {slot: BEYOND if slot in verdict.oversized else verdict.scores[slot] / median for slot in slots}


def show(title: str, seen: Seen, console: Console) -> None:
    """A row for each strike factor."""
    rounds = [ratio for trainer in seen.honest.values() for ratio in trainer]
    projects = len({seed for seed, _ in seen.honest})
    table = Table(
        "strike_factor",
        "honest rounds, %",
        "honest trainers ever, %",
        "by project: most",
        "beside attackers, %",
    )
    table.title = (
        f"{title}: {len(rounds)} updates of honest trainers, largest score {max(rounds):.1f} medians"
    )
    for attack in ATTACKS:
        table.add_column(f"{attack}, % (from {min(seen.attackers[attack]):.1f} medians)")
    for factor in FACTORS:
        worst = [
            np.mean([max(ratio) * 100 > factor for (of, _), ratio in seen.honest.items() if of == seed]) * 100
            for seed in range(projects)
        ]
        table.add_row(
            str(factor),
            _share(rounds, factor),
            f"{np.mean(worst):.1f}",
            f"{max(worst):.0f}",
            _share(seen.beside, factor),
            *(_share(seen.attackers[attack], factor) for attack in ATTACKS),
        )
    console.print(table)


def _share(found: list[float], factor: int) -> str:
    return f"{100 * np.mean([ratio * 100 > factor for ratio in found]):.1f}"


def main() -> int:
    """Prints a table for each split."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dataset", choices=(*datasets.NAMES, *tables.NAMES), default="digits")
    parser.add_argument("--slots", type=int, default=10)
    parser.add_argument("--rows", type=int, help="of each trainer, on average")
    parser.add_argument("--folder", type=Path, help="where Fashion-MNIST's files are")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # models this small are slower with more
    name, slots = arguments.dataset, arguments.slots
    data = tables.load(name) if name in tables.NAMES else datasets.load(name, arguments.folder)[0]
    training = Training(name, slots, faults_of(slots))
    rows = arguments.rows * slots if arguments.rows else ROWS.get(name)
    for alpha in SPLITS:
        seen = Seen()
        for seed in range(arguments.seeds):
            some = data.rows(np.random.default_rng(seed).permutation(len(data))[:rows])
            watch(training, some, alpha, seed, seen)
        title = f"{name}, K = {slots}, {len(some) // slots} rows, {'IID' if alpha is None else f'Dirichlet({alpha})'}"
        show(title, seen, Console(width=180))
    return 0


if __name__ == "__main__":
    sys.exit(exit_status(main))
