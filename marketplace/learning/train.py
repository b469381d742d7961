"""Local training: one round of ordinary SGD on a trainer's own data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset
from marketplace.learning.devices import pick_device, torch_threads
from marketplace.learning.engine import processes
from marketplace.learning.engine.checks import check_combination
from marketplace.learning.engine.determinism import determined, threads_of
from marketplace.learning.engine.loop import trained_delta
from marketplace.learning.engine.options import PLAIN, Engine
from marketplace.learning.tasks import Task
from marketplace.spec.sections import TaskSection, TrainingSection

Floats = NDArray[np.float64]


def local_delta(
    task: Task,
    weights: Floats,
    dataset: Dataset,
    training: TrainingSection,
    seed: int,
    device: str = "auto",
    threads: int | None = None,
    engine: Engine = PLAIN,
    section: TaskSection | None = None,
) -> Floats:
    """What a round of training changes: float64[d], not yet clipped.

    `weights`: the global model, float64[d]; `seed`: of the batches' order, so one for each trainer and round.
    On the CPU and with the plain engine the result is a function of the arguments alone. `threads`: of torch, for the
    time of the call, in each process. `section`: what `task` was made from, which several processes make again. Raises
    BAD_DATA where training diverges, BAD_INPUT for an engine that does not go with the recipe, INTERNAL where one of
    several processes crashed.
    """
    check_combination(engine, training, private=False)
    start, threads = weights.astype(np.float32).astype(np.float64), threads_of(training, threads)
    if engine.processes > 1:
        if section is None:
            raise ValueError("several processes make the task from its section")
        return finite(
            processes.trained_delta(section, start, dataset, training, seed, device, threads, engine)
        )
    where = pick_device(device)
    with torch_threads(threads), determined(training, where, seed):
        return finite(trained_delta(task, start, dataset, training, seed, where, engine))


def finite(delta: Floats) -> Floats:
    """`delta`; raises BAD_DATA where training diverged."""
    if not np.isfinite(delta).all():
        raise FairshareError(
            Reason.BAD_DATA,
            "training diverged: the update holds NaN or infinity",
            "check the scale of X in your data; the owner's training.learning_rate may be too high for it",
        )
    return delta
