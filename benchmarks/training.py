"""A round of training in every way that a trainer can choose, beside a bare torch loop.

    python benchmarks/training.py [--rows 6000] [--repeats 3] [--device cpu] [--kinds mlp cnn]

An MLP of 784-256-10 and the template's CNN (a million parameters), batches of 32, one epoch on made-up images:
speed does not depend on them. One thread a process, as nodes train. Of each the fastest of the repeats, which take
turns, so that a busy machine is busy for all; "first" is a process's first round, which compiles or loads. "off"
is how far the delta is from plain training's, in its lengths.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from marketplace.errors import FairshareError
from marketplace.learning import tasks
from marketplace.learning.data import Dataset
from marketplace.learning.devices import pick_device
from marketplace.learning.engine.batches import batches
from marketplace.learning.engine.checks import check_machine
from marketplace.learning.engine.options import PLAIN, Engine
from marketplace.learning.tasks import Task
from marketplace.learning.train import local_delta
from marketplace.spec import ProjectFile, template
from marketplace.spec.sections import TaskSection, TrainingSection

FEATURES, CLASSES = 784, 10
SECTIONS = {
    "mlp": {"kind": "mlp", "features": FEATURES, "classes": CLASSES, "hidden": 256},
    "cnn": {"kind": "cnn", "features": FEATURES, "classes": CLASSES},
}
ENGINES = {
    "plain": PLAIN,
    "accumulate 4": Engine(accumulate=4),
    "workers 1": Engine(workers=1),
    "compile": Engine(compile=True),
    "bf16": Engine(precision="bf16"),
    "fp16": Engine(precision="fp16"),
    "2 processes": Engine(processes=2),
    "2 processes, sharded": Engine(processes=2, shard_from=1),
}
BARE = "bare torch loop"
Round = Callable[[], np.ndarray]


def images(rows: int) -> Dataset:
    """Noise around a pattern for each class: something to learn, so that "off" is no chaos."""
    generator = np.random.default_rng(0)
    patterns = generator.random((CLASSES, FEATURES), dtype=np.float32)
    y = generator.integers(0, CLASSES, rows)
    return Dataset((patterns[y] + generator.random((rows, FEATURES), dtype=np.float32)) / 2, y)


def bare(
    task: Task, start: np.ndarray, data: Dataset, training: TrainingSection, where: torch.device
) -> np.ndarray:
    """The peer: what one writes by hand."""
    module = task.module(start).to(where).train()
    X, y = torch.from_numpy(data.X).to(where), torch.from_numpy(data.y).to(where)
    optimiser = torch.optim.SGD(module.parameters(), lr=training.learning_rate, momentum=training.momentum)
    for batch in batches(len(data), training, 0):
        index = torch.from_numpy(batch).to(where)
        optimiser.zero_grad()
        nn.functional.cross_entropy(module(X[index]), y[index]).backward()
        optimiser.step()
    return task.vector(module) - start


def rounds_of(
    section: TaskSection, data: Dataset, training: TrainingSection, device: str
) -> dict[str, Round]:
    """By name, what trains a round; engines that this machine refuses are left out, and said."""
    task, where = tasks.load(section), pick_device(device)
    start = task.initial(0).astype(np.float32).astype(np.float64)
    found: dict[str, Round] = {BARE: lambda: bare(task, start, data, training, where)}
    for name, engine in ENGINES.items():
        try:
            check_machine(engine, device)
        except FairshareError as error:
            print(f"{name}: {error}")
            continue

        def train(engine: Engine = engine) -> np.ndarray:
            return local_delta(task, start, data, training, 0, device, 1, engine, section)

        found[name] = train
    return found


def timed(train: Round) -> tuple[float, np.ndarray]:
    """Seconds, and the delta."""
    began = time.monotonic()
    delta = train()
    return time.monotonic() - began, delta


def measure(kind: str, data: Dataset, device: str, repeats: int, console: Console) -> None:
    """One network's table."""
    section = TaskSection.model_validate(SECTIONS[kind])
    training = ProjectFile.from_toml(template(kind)).training.model_copy(update={"epochs": 1})
    rounds = rounds_of(section, data, training, device)
    first = {name: timed(train) for name, train in rounds.items()}
    again = {name: float("inf") for name in rounds}
    for _ in range(repeats):
        for name, train in rounds.items():
            again[name] = min(again[name], timed(train)[0])
    length = tasks.load(section).length
    title = f"{kind}, d = {length:,}, {len(data):,} rows, batches of {training.batch_size}, on {pick_device(device)}"
    table = Table("", "first s", "again s", "of bare", "off", title=title)
    plain = first["plain"][1]
    for name, (seconds, delta) in first.items():
        off = np.linalg.norm(delta - plain) / np.linalg.norm(plain)
        table.add_row(
            name, f"{seconds:.2f}", f"{again[name]:.2f}", f"{again[name] / again[BARE]:.2f}", f"{off:.1e}"
        )
    console.print(table)
    console.print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def main() -> None:
    """Prints a table for each network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=6000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--kinds", nargs="+", choices=tuple(SECTIONS), default=tuple(SECTIONS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    data = images(given.rows)
    for kind in given.kinds:
        measure(kind, data, given.device, given.repeats, Console(width=110))


if __name__ == "__main__":
    main()
