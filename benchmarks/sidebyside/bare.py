"""The bare loop: federated averaging with no server, no network and nothing proved. Run with the number of processes.

python -m sidebyside.bare PROCESSES
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import torch

from sidebyside import plain
from sidebyside.plain import Part, Vector

Job = tuple[Path, plain.Work, Vector, int, int]
Run = Callable[[list[Job]], list[Vector]]


def main() -> None:
    """Trains, and writes the model and when each round ended."""
    processes = int(sys.argv[1])
    where = plain.folder()
    work, model = plain.read_work(where), np.load(where / plain.INITIAL)
    torch.set_num_threads(1)
    if processes == 1:
        _play(where, work, model, lambda jobs: [_train(*job) for job in jobs])
        return
    with ProcessPoolExecutor(processes) as pool:
        _play(where, work, model, lambda jobs: list(pool.map(_train, *zip(*jobs, strict=True))))


def _play(where: Path, work: plain.Work, model: Vector, run: Run) -> None:
    marks = plain.Marks.begin(where)
    for round_ in range(1, work.rounds + 1):
        trained = run([(where, work, model, trainer, round_) for trainer in range(work.trainers)])
        model = np.mean(trained, axis=0, dtype=np.float64).astype(np.float32)
        np.save(where / plain.FINAL, model)
        marks.mark()


def _train(where: Path, work: plain.Work, model: Vector, trainer: int, round_: int) -> Vector:
    return plain.train(work, model, _part(where, trainer), trainer, round_)


@cache
def _part(where: Path, trainer: int) -> Part:
    return plain.read_part(where, f"trainer-{trainer}")


if __name__ == "__main__":
    main()
