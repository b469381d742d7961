"""A round of training before joining: what it does for rows that were held out, and how such an update would look."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset
from marketplace.learning.engine.options import PLAIN, Engine
from marketplace.learning.evaluate import accuracy, loss
from marketplace.learning.split import hold_out
from marketplace.learning.tasks import Task
from marketplace.learning.train import local_delta
from marketplace.protocol.fixed_point import UPDATE_LIMIT, clip
from marketplace.spec import ProjectSpec
from trainer_node.agreement import Agreement, agreement_of

HELD_OUT = 0.2  # of each class
MAX_BYTES = 128 << 20  # of X: of more, a sample is tried

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Trial:
    """What one round of training on most rows did. Accuracies and losses (nats) are of the held-out rows.

    `length`: the delta's Euclidean norm before clipping; `agreement`: of the update with what the same round on the
    held-out rows would change.
    """

    rows: int
    trained_on: int
    held_out: int
    accuracy_before: float
    accuracy_after: float
    loss_before: float
    loss_after: float
    length: float
    clip_norm: float
    saturated: int  # entries that do not fit int16
    agreement: Agreement
    seconds: float

    @property
    def is_sample(self) -> bool:
        """Whether rows were left out for the sake of memory."""
        return self.trained_on + self.held_out < self.rows


def try_round(
    spec: ProjectSpec,
    task: Task,
    weights: Floats,
    dataset: Dataset,
    seed: int,
    device: str,
    engine: Engine = PLAIN,
) -> Trial:
    """One round from the global model `weights`, float64[d], as a trainer would train it; `seed`: of split and batches.

    Takes 2 * MAX_BYTES of memory at most, whatever the data's size. Raises BAD_DATA where training diverges, or where
    there are too few rows to hold any out.
    """
    import torch  # noqa: F401  loaded before time is taken

    training, held = _parts(dataset, seed)
    began = time.monotonic()
    delta = local_delta(task, weights, training, spec.training, seed, device, 1, engine, spec.task)
    seconds = time.monotonic() - began
    other = local_delta(task, weights, held, spec.training, seed, device, 1, engine, spec.task)
    clipped = clip(delta, spec.training.clip_norm)
    after = weights + clipped
    scaled = np.ldexp(clipped, spec.arithmetic.scale_bits) / spec.divisor
    return Trial(
        rows=len(dataset),
        trained_on=len(training),
        held_out=len(held),
        accuracy_before=accuracy(task, weights, held),
        accuracy_after=accuracy(task, after, held),
        loss_before=loss(task, weights, held),
        loss_after=loss(task, after, held),
        length=float(np.linalg.norm(delta)),
        clip_norm=spec.training.clip_norm,
        saturated=int((np.abs(scaled) > UPDATE_LIMIT).sum()),
        agreement=agreement_of(spec, delta, other, (len(training), len(held))),
        seconds=round(seconds, 2),
    )


def agreement_at(
    spec: ProjectSpec,
    task: Task,
    weights: Floats,
    dataset: Dataset,
    seed: int,
    device: str,
    engine: Engine = PLAIN,
) -> Agreement:
    """The agreement alone, at another model; as `try_round`."""
    training, held = _parts(dataset, seed)
    delta = local_delta(task, weights, training, spec.training, seed, device, 1, engine, spec.task)
    other = local_delta(task, weights, held, spec.training, seed, device, 1, engine, spec.task)
    return agreement_of(spec, delta, other, (len(training), len(held)))


def _parts(dataset: Dataset, seed: int) -> tuple[Dataset, Dataset]:
    """(training, held out), together MAX_BYTES at most."""
    most = max(1, MAX_BYTES // dataset.X[:1].nbytes)
    if len(dataset) > most:
        chosen = np.random.default_rng(seed).choice(len(dataset), most, replace=False)
        dataset = dataset.rows(np.sort(chosen))
    training, held = hold_out(dataset, HELD_OUT, seed)
    if not len(held) or not len(training):
        raise FairshareError(
            Reason.BAD_DATA,
            f"{len(dataset)} rows are too few to hold out a fifth of each class",
            "give at least three rows of some class",
        )
    return training, held
