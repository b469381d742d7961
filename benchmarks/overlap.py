"""A round with a proof against the same round without one, when training takes as long as proving.

    python benchmarks/overlap.py [--rounds 4] [--hidden 64]

Three projects on a devnet with real nodes: settled on demand, proved, and proved with a preview of the merged model,
which trainers work on while the proof is made. In life they have machines of their own: here everything but the proof
is kept on one core, and the proof, one thread of it, on another. Training is made as long as a proof by its number of
epochs. No round is shorter than the challenge window, 6 s: proofs should take longer. The first round of each project
is left out: it has nothing to overlap with.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from offchain.training import Training, parts_of
from onchain.members import Members, members
from onchain.project import ROUNDS
from rich.console import Console
from rich.table import Table

from aggregator.intake import Intake
from aggregator.listening import listening
from aggregator.proof_queue import LocalProver, ProofQueue
from marketplace.learning import datasets, tasks, train
from marketplace.learning.data import Dataset
from marketplace.node.console import run as exit_status
from marketplace.node.options import user_folder
from marketplace.node.previews import Market
from marketplace.spec import ProjectFile
from zk import keys, prover
from zk.catalogue import shape_for
from zk.files import CircuitFiles
from zk.prover import UPDATE_LIMIT, Proof, Update

SLOTS, FAULTS = 5, 1
BATCH = 8
PROBE_EPOCHS = 20
TIMEOUT_S = 1800.0
AIM = 1.3  # times the round without a proof
HERE, THERE = 0, 1  # cores: of all nodes, and of the proofs
SWITCH_S = 0.0005  # between threads, which are nodes here and should not wait for each other's training


class PinnedProver(LocalProver):
    """One proof at a time, by one thread, on the core that nothing else is on."""

    def __init__(self) -> None:
        super().__init__(cores=1)

    def prove(
        self, files: CircuitFiles, updates: Sequence[Update | None], limit: int = UPDATE_LIMIT
    ) -> Proof:
        """As `zk.prover.prove`; the process that it starts inherits the thread's core."""
        os.sched_setaffinity(0, {THERE})
        return super().prove(files, updates, limit)


@dataclass(frozen=True)
class Step:
    """Seconds of a round, from the result before to its own, by what it waits for."""

    training: float  # to the last submission
    collecting: float  # to the proof's beginning, or where there is none to the result
    proving: float
    posting: float

    @property
    def round(self) -> float:
        """All of it."""
        return self.training + self.collecting + self.proving + self.posting


def settled(training: Training, mode: str, rounds: int, epochs: int) -> ProjectFile:
    """The project; the same but for its settlement."""
    document = training.project.model_dump(exclude_none=True)
    document["project"]["name"] = mode
    document["rounds"] |= ROUNDS | {"count": rounds, "submit_window": 600, "answer_window": 120}
    document["scoring"] |= {"rule": "projection", "fallback_rule": "projection", "reference_share": 0}
    document["settlement"] = {"mode": mode}
    document["training"] |= {"epochs": epochs, "batch_size": BATCH}
    document["reward"]["amount"] = str(document["reward"]["amount"])
    document["stakes"]["reveal"] = "0"
    document.pop("validation", None)
    return ProjectFile.model_validate(document, strict=False)


def recipe(hidden: int) -> Training:
    """Digits, by a network with one hidden layer."""
    made = Training("fashion-mnist", SLOTS, FAULTS)
    document = made.project.model_dump(exclude_none=True)
    document["task"] |= {"features": 64, "classes": 10, "hidden": hidden, "pool": 1, "trained": "all"}
    document["reward"]["amount"] = str(document["reward"]["amount"])
    made.project = ProjectFile.model_validate(document, strict=False)
    made.task = tasks.load(made.project.task)
    return made


def proof_s(files: CircuitFiles) -> float:
    """Wall seconds of a proof, by one thread on its core."""
    rng = np.random.default_rng(1)
    rows = [rng.integers(-3000, 3000, files.shape.length).astype(np.int16) for _ in range(files.shape.slots)]
    keys.proving_key(files)
    os.sched_setaffinity(0, {THERE})
    wall = prover.prove(files, rows, threads=1).wall_s
    os.sched_setaffinity(0, {HERE})
    return wall


def epoch_s(training: Training, part: Dataset) -> float:
    """Wall seconds of one trainer's epoch, on the core of all trainers."""
    settings = training.project.training.model_copy(update={"epochs": PROBE_EPOCHS, "batch_size": BATCH})
    weights = training.weights(training.initial())
    train.local_delta(training.task, weights, part, settings, 0, "cpu", 1)
    began = time.monotonic()
    train.local_delta(training.task, weights, part, settings, 1, "cpu", 1)
    return (time.monotonic() - began) / PROBE_EPOCHS


def run(market: Members, project: ProjectFile, parts: list[Dataset], held_out: Dataset) -> list[Step]:
    """Plays a project; its rounds but the first."""
    number = market.post(project, held_out, held_out)
    market.run(number, parts, 0, lambda: None, TIMEOUT_S)
    lines = [json.loads(line) for line in (market.directory / "log.jsonl").read_text().splitlines()]
    return steps([line for line in lines if line.get("project") == number])


def steps(lines: list[dict[str, Any]]) -> list[Step]:
    """What the nodes' logs say, by round."""

    def at(event: str, round_: int) -> list[float]:
        found = [line for line in lines if line["event"] == event and line.get("round") == round_]
        return [datetime.fromisoformat(line["timestamp"]).timestamp() for line in found]

    made, round_ = [], 2
    while at("result posted", round_):
        before, posted = at("result posted", round_ - 1)[-1], at("result posted", round_)[-1]
        submitted = max(at("submitted", round_))
        proving, proved = at("proving", round_) or [posted], at("proved", round_) or [posted]
        made.append(
            Step(submitted - before, proving[0] - submitted, proved[-1] - proving[0], posted - proved[-1])
        )
        round_ += 1
    return made


def show(found: dict[str, list[Step]], console: Console) -> float:
    """The table; how much longer the overlapped round is than the one without a proof."""
    names = [field.name for field in dataclasses.fields(Step)]
    table = Table("", *(f"{name} s" for name in names), "round s", "fastest to slowest")
    rounds = {}
    for name, made in found.items():
        medians = [statistics.median(getattr(step, field) for step in made) for field in names]
        whole = [step.round for step in made]
        rounds[name] = statistics.median(whole)
        span = f"{min(whole):.1f} to {max(whole):.1f}"
        table.add_row(name, *(f"{value:.1f}" for value in medians), f"{rounds[name]:.1f}", span)
    console.print(table)
    without, *proved = rounds.values()
    for name, seconds in zip(list(rounds)[1:], proved, strict=True):
        console.print(f"{name}: {seconds / without:.2f} times the round without a proof")
    return proved[-1] / without


def main() -> int:
    """Exit 0 where the overlapped round is at most `AIM` times the round without a proof."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4, help="of each project")
    parser.add_argument("--no-waiting", action="store_true", help="leave out the project without previews")
    parser.add_argument("--hidden", type=int, default=64, help="width of the hidden layer: d = 75 of it + 10")
    given = parser.parse_args()
    torch.set_num_threads(1)
    console = Console(width=110)
    cache = user_folder("XDG_CACHE_HOME", ".cache")
    training = recipe(given.hidden)
    data, held_out = datasets.load("digits")
    parts = parts_of(data, SLOTS, None, 0)
    with (
        tempfile.TemporaryDirectory(prefix="fairshare-overlap-", ignore_cleanup_errors=True) as folder,
        members(Path(folder), cache, SLOTS) as market,
    ):
        os.sched_setaffinity(0, {HERE})
        sys.setswitchinterval(SWITCH_S)
        files = keys.build(shape_for(SLOTS, training.task.length), cache)
        proof, epoch = proof_s(files), epoch_s(training, parts[0])
        epochs = max(1, round(proof / epoch / SLOTS))
        console.print(
            f"{SLOTS} x {training.task.length}: a proof takes {proof:.1f} s of one thread, {SLOTS} trainers' "
            f"{epochs} epochs {epochs * epoch * SLOTS:.1f} s of another; load {os.getloadavg()[0]:.1f}"
        )
        client, aggregator = market.owner.client, market.aggregator
        intake = Intake(Market(client.chain_id, client.address), aggregator.journal, aggregator.account)
        proofs = ProofQueue(PinnedProver())
        with listening(intake, "127.0.0.1", 0) as port:
            quiet = dataclasses.replace(market, proofs=proofs)
            early = dataclasses.replace(quiet, office=(intake, f"http://127.0.0.1:{port}"))
            kinds = {
                "on demand, no proof": (quiet, "on-demand"),
                "proved, one after another": (quiet, "proved"),
                "proved, with a preview": (early, "proved"),
            }
            if given.no_waiting:
                del kinds["proved, one after another"]
            found = {}
            for name, (at, mode) in kinds.items():
                project = settled(training, mode, given.rounds, epochs)
                found[name] = run(at, project, parts, held_out)
                console.print(f"{name}: done, load {os.getloadavg()[0]:.1f}")
        proofs.close()
    return 0 if show(found, console) <= AIM else 1


if __name__ == "__main__":
    sys.exit(exit_status(main))
