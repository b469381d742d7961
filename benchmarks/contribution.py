"""How pay by each score rule compares with Shapley values and with the quality of the data.

    python benchmarks/contribution.py [--dataset fashion-mnist] [--alpha 0.5] [--faults 1] [--seeds 5]
    python benchmarks/contribution.py --devnet [--proved-seeds 1] [--results FILE]

Eight trainers whose labels are partly drawn anew: 0, 0, 0, 0, 20, 40, 70, 100 %. Without --alpha both splits are run,
IID and Dirichlet(0.5). Each round is judged and paid by the protocol's own integers, by each rule in turn; the f
trainers that Krum leaves out earn nothing. Beside it, from the utilities of all 256 subsets of the round's updates
(log-likelihood of the owner's validation set, which is apart from the evaluation set): exact Shapley values,
GTG-Shapley, leave-one-out. A subset's model is what the protocol makes of it: each update has its part of the step,
whoever else is there ("by sum"). Values of subsets' means, as GTG-Shapley's authors have it, are shown for comparison
("by mean"): there a lone update makes the whole step. Each round has the same pot; negative values earn nothing.

With --devnet every rule has a project of its own on a real chain, with real proofs, storage and nodes. What is compared
is what the chain paid; it has to be, to the wei, what the judge off chain makes of the same updates.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from offchain.comparison import show
from offchain.parties import COUNT, LARGEST, parties, some
from offchain.pay import PAY, paid
from offchain.training import Model, Training
from offchain.worth import BY_MEAN, EQUAL, EXACT, GTG, LOO, worth
from rich.console import Console

from marketplace.learning import datasets
from marketplace.learning.data import Dataset
from marketplace.node.console import run as exit_status
from marketplace.protocol import fixed_point
from marketplace.protocol.gram import gram
from marketplace.protocol.krum import ScoreRule, judge

Floats = NDArray[np.float64]

WIDTH = 180  # columns of the tables


class Market:
    """One seed's project: trainers with bad labels, an owner with a validation set."""

    def __init__(self, training: Training, data: Dataset, alpha: float | None, seed: int) -> None:
        self.parts, self.validation = parties(data, training.task.classes, alpha, seed)
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
        found = worth(self.training, self.validation, model, updates, random, by_mean=True)
        self.evaluations += found.evaluations
        for name, shares in found.shares.items():
            self.earned[name] += shares
        merged = judge(
            self.training.rules(ScoreRule.PROJECTION), gram(updates), range(COUNT), range(1, COUNT + 1)
        )
        return fixed_point.apply_updates(model, [updates[slot] for slot in merged.merged])


def measure(
    training: Training, most: int | None, alpha: float | None, seeds: int, data: Dataset
) -> tuple[dict[str, Floats], float]:
    """By method, of each seed: shares of the pay [seeds, 8]; and GTG's subsets a round."""
    found: dict[str, list[Floats]] = {}
    evaluations = 0
    for seed in range(seeds):
        market = Market(training, some(data, most, seed), alpha, seed)
        market.run()
        evaluations += market.evaluations
        for name, earned in market.earned.items():
            found.setdefault(name, []).append(earned / max(earned.sum(), 1e-12))
    return {name: np.array(rows) for name, rows in found.items()}, evaluations / seeds / training.rounds


def on_chain(arguments: argparse.Namespace, alphas: tuple[float | None, ...]) -> None:
    """Runs the devnet's projects and prints their tables."""
    from onchain import series
    from onchain.project import Case

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # everything that was started is ended
    training, held_out = datasets.load(arguments.dataset, arguments.folder)
    rounds = arguments.rounds or Training(arguments.dataset, COUNT, arguments.faults[0]).rounds
    cases = [
        Case(
            dataset=arguments.dataset,
            alpha=alpha,
            seed=seed,
            rule=rule,
            settlement="proved"
            if arguments.proved_seeds is None or seed < arguments.proved_seeds
            else "on-demand",
            faults=faults,
            rounds=rounds,
            epochs=arguments.epochs,
        )
        for faults in arguments.faults
        for seed in range(arguments.seeds)
        for alpha in alphas
        for rule in arguments.rules
    ]
    with tempfile.TemporaryDirectory() as scratch:
        results = arguments.results or Path(scratch) / "results.json"
        outcomes = series.run(cases, results, training, held_out)
    for faults in arguments.faults:
        series.tables([one for one in outcomes if one.case.faults == faults], Console(width=WIDTH))


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
    chain = parser.add_argument_group("on a devnet")
    chain.add_argument("--devnet", action="store_true", help="projects on a chain, paid by it")
    chain.add_argument("--rules", nargs="+", choices=list(PAY), default=["reference", "projection", "cosine"])
    chain.add_argument("--rounds", type=int, help="of a project, instead of the template's")
    chain.add_argument(
        "--proved-seeds",
        type=int,
        metavar="N",
        help="proofs with the first N seeds only; the other projects settle on demand (default: all are proved)",
    )
    chain.add_argument(
        "--results", type=Path, metavar="FILE", help="JSON; what it holds already is not run again"
    )
    arguments = parser.parse_args()
    alphas = (None, 0.5) if arguments.alpha is None else (arguments.alpha,)
    torch.set_num_threads(1)  # models this small are slower with more
    if arguments.devnet:
        on_chain(arguments, alphas)
        return 0
    data, _ = datasets.load(arguments.dataset, arguments.folder)
    for faults in arguments.faults:
        for alpha in alphas:
            title = f"{arguments.dataset}, {'IID' if alpha is None else f'Dirichlet({alpha})'}, f = {faults}"
            training = Training(arguments.dataset, COUNT, faults, arguments.epochs)
            most = LARGEST[arguments.dataset]
            found, evaluations = measure(training, most, alpha, arguments.seeds, data)
            title += f"; GTG: {evaluations:.0f} of 256 subsets a round"
            show(title, found, Console(width=WIDTH))
    return 0


if __name__ == "__main__":
    sys.exit(exit_status(main))
