"""How pay by each score rule compares with Shapley values and with the quality of the data.

    python benchmarks/contribution.py [--dataset fashion-mnist] [--alpha 0.5] [--faults 1] [--seeds 5]

Eight trainers whose labels are partly drawn anew: 0, 0, 0, 0, 20, 40, 70, 100 %. Without --alpha both splits are run,
IID and Dirichlet(0.5). Each round is judged and paid by the protocol's own integers, by each rule in turn; the f
trainers that Krum leaves out earn nothing. Beside it, from the utilities of all 256 subsets of the round's updates
(log-likelihood of the owner's validation set, which is apart from the evaluation set): exact Shapley values,
GTG-Shapley, leave-one-out. A subset's model is what the protocol makes of it: each update has its part of the step,
whoever else is there ("by sum"). Values of subsets' means, as GTG-Shapley's authors have it, are shown for comparison
("by mean"): there a lone update makes the whole step. Each round has the same pot; negative values earn nothing.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from offchain import shapley
from offchain.training import Model, Training, Update, noisy, parts_of
from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr  # type: ignore[import-untyped]

from marketplace.errors import FairshareError
from marketplace.learning import datasets, evaluate, split
from marketplace.learning.data import Dataset
from marketplace.protocol import fixed_point, shares
from marketplace.protocol.gram import gram
from marketplace.protocol.krum import Rules, ScoreRule, judge

Floats = NDArray[np.float64]

NOISE = (0.0, 0.0, 0.0, 0.0, 0.2, 0.4, 0.7, 1.0)
COUNT = len(NOISE)
POT = 10**18
WHOLE, TEMPLATE = 10_000, 8_000  # basis points by the reference
PAY: dict[str, tuple[ScoreRule, int]] = {
    "reference": (ScoreRule.REFERENCE, WHOLE),
    "reference, 80 %": (ScoreRule.REFERENCE, TEMPLATE),
    "projection": (ScoreRule.PROJECTION, 0),
    "cosine": (ScoreRule.COSINE, 0),
}
EXACT, BY_MEAN = "exact Shapley, by sum", "exact Shapley, by mean"
GTG, LOO, EQUAL = "GTG-Shapley, by sum", "leave-one-out, by sum", "equal"
AIM_COSINE, AIM_SPEARMAN, AIM_NOISE = 0.98, 0.93, 0.01
LARGEST = {"digits": None, "fashion-mnist": COUNT * 1500 + 1500}  # rows that are used


class Market:
    """One seed's project: trainers with bad labels, an owner with a validation set."""

    def __init__(self, training: Training, data: Dataset, alpha: float | None, seed: int) -> None:
        rest, self.validation = split.hold_out(data, 0.2 if len(data) < 10_000 else 1500 / len(data), seed)
        parts = parts_of(rest, COUNT, alpha, seed)
        classes = training.task.classes
        self.parts = [noisy(part, share, classes, seed) for part, share in zip(parts, NOISE, strict=True)]
        self.training, self.seed = training, seed
        self.earned = {name: np.zeros(COUNT) for name in (*PAY, EXACT, BY_MEAN, GTG, LOO, EQUAL)}
        self.evaluations = 0

    def run(self) -> None:
        """All rounds."""
        model = self.training.initial()
        random = np.random.default_rng(self.seed)
        for round_ in range(1, self.training.rounds + 1):
            model = self._round(model, round_, random)

    def _round(self, model: Model, round_: int, random: np.random.Generator) -> Model:
        seeds = [(self.seed * 1000 + round_) * (COUNT + 1) + slot for slot in range(COUNT + 1)]
        everyone = [*self.parts, self.validation]
        rows = [self.training.update(model, *pair) for pair in zip(everyone, seeds, strict=True)]
        updates = rows[:COUNT]
        for name, (rule, share) in PAY.items():
            self.earned[name] += paid(self.training.rules(rule), rows, share)
        table = self._utilities(model, updates, mean=False)
        values, used = shapley.gtg(table, random)
        self.evaluations += used
        for name, worth in (
            (EXACT, shapley.exact(table)),
            (BY_MEAN, shapley.exact(self._utilities(model, updates, mean=True))),
            (GTG, values),
            (LOO, shapley.leave_one_out(table)),
        ):
            self.earned[name] += _shared(worth)
        self.earned[EQUAL] += 1 / COUNT
        merged = judge(
            self.training.rules(ScoreRule.PROJECTION), gram(updates), range(COUNT), range(1, COUNT + 1)
        )
        return fixed_point.apply_updates(model, [updates[slot] for slot in merged.merged])

    def _utilities(self, model: Model, updates: list[Update], *, mean: bool) -> Floats:
        """By mask of a subset: log-likelihood, in nats a row, of the model with its updates' sum, or mean."""
        matrix, divisor = np.array(updates, dtype=np.int64), self.training.project.divisor
        values = []
        for subset in range(1 << COUNT):
            chosen = [slot for slot in range(COUNT) if subset >> slot & 1]
            step = matrix[chosen].sum(axis=0)
            if mean and chosen:
                step = np.rint(step * divisor / len(chosen)).astype(np.int64)
            weights = self.training.weights(model + step)
            values.append(-evaluate.loss(self.training.task, weights, self.validation))
        return np.array(values)


def paid(rules: Rules, rows: list[Update], share: int) -> Floats:
    """Each trainer's part of a round's pot, as the contract works it out."""
    matrix = gram(rows if rules.reference else rows[:COUNT])
    verdict = judge(rules, matrix, range(COUNT), range(1, COUNT + 1), reference_present=rules.reference)
    return np.array(shares.amounts(verdict, POT, share), dtype=np.float64) / POT


def measure(
    training: Training, most: int | None, alpha: float | None, seeds: int, data: Dataset
) -> tuple[dict[str, Floats], float]:
    """By method, of each seed: shares of the pay [seeds, 8]; and GTG's subsets a round."""
    found: dict[str, list[Floats]] = {}
    evaluations = 0
    for seed in range(seeds):
        market = Market(training, _some(data, most, seed), alpha, seed)
        market.run()
        evaluations += market.evaluations
        for name, earned in market.earned.items():
            found.setdefault(name, []).append(earned / max(earned.sum(), 1e-12))
    return {name: np.array(rows) for name, rows in found.items()}, evaluations / seeds / training.rounds


def show(title: str, found: dict[str, Floats], evaluations: float, console: Console) -> None:
    """The table, and whether pay by the reference meets its aims."""
    noise = "/".join(f"{share:.0%}"[:-1] for share in NOISE)
    table = Table("pay by", "cosine to exact, by sum", "by mean", "Spearman", "pure noise, % of pay")
    table.add_column(f"mean shares, noise {noise} %")
    table.title = f"{title}; GTG: {evaluations:.0f} of 256 subsets a round"
    for name, rows in found.items():
        near, near_mean = (
            [_cosine(row, true) for row, true in zip(rows, found[exact], strict=True)]
            for exact in (EXACT, BY_MEAN)
        )
        order = [_spearman(row) for row in rows] if name != EQUAL else [float("nan")]
        shown = " ".join(f"{share:.3f}" for share in rows.mean(axis=0))
        waste = 100 * rows[:, -1]
        table.add_row(name, _spread(near), _spread(near_mean), _spread(order), _spread(waste), shown)
        if name == "reference":
            aims = (
                ("cosine", np.mean(near) >= AIM_COSINE),
                ("Spearman", np.mean(order) >= AIM_SPEARMAN),
                ("pure noise", np.mean(waste) < 100 * AIM_NOISE),
            )
            table.caption = "aims of reference: " + ", ".join(
                f"{aim} {'met' if met else 'missed'}" for aim, met in aims
            )
    console.print(table)


def _some(data: Dataset, most: int | None, seed: int) -> Dataset:
    if most is None or most >= len(data):
        return data
    return data.rows(np.random.default_rng(seed).permutation(len(data))[:most])


def _shared(worth: Floats) -> Floats:
    kept = np.maximum(worth, 0)
    return kept / kept.sum() if kept.sum() > 0 else kept


def _cosine(one: Floats, other: Floats) -> float:
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / length if length else 0.0


def _spearman(shares_: Floats) -> float:
    return float(spearmanr(shares_, -np.array(NOISE)).statistic)


def _spread(values: list[float] | Floats) -> str:
    return f"{np.mean(values):.3f} ({np.min(values):.3f} to {np.max(values):.3f})"


def main() -> int:
    """Prints a table for each f and split."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dataset", choices=datasets.NAMES, default="digits")
    parser.add_argument("--folder", type=Path, help="where Fashion-MNIST's files are")
    parser.add_argument("--alpha", type=float, help="this Dirichlet split only")
    parser.add_argument(
        "--faults", type=int, nargs="+", default=[1], help="f: so many are not merged (default 1)"
    )
    parser.add_argument("--epochs", type=int, help="of a round of training, instead of the template's")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # models this small are slower with more
    try:
        data, _ = datasets.load(arguments.dataset, arguments.folder)
        for faults in arguments.faults:
            for alpha in (None, 0.5) if arguments.alpha is None else (arguments.alpha,):
                title = (
                    f"{arguments.dataset}, {'IID' if alpha is None else f'Dirichlet({alpha})'}, f = {faults}"
                )
                training = Training(arguments.dataset, COUNT, faults, arguments.epochs)
                found = measure(training, LARGEST[arguments.dataset], alpha, arguments.seeds, data)
                show(title, *found, Console(width=180))
    except FairshareError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
