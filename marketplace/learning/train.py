"""Local training: one round of ordinary SGD on a trainer's own data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset
from marketplace.learning.sgd import Sgd
from marketplace.learning.tasks import Task
from marketplace.spec.sections import TrainingSection

if TYPE_CHECKING:
    import torch

Floats = NDArray[np.float64]

DEVICES = ("auto", "cpu", "cuda", "mps")


def local_delta(
    task: Task,
    weights: Floats,
    dataset: Dataset,
    training: TrainingSection,
    seed: int,
    device: str = "auto",
    threads: int | None = None,
) -> Floats:
    """What a round of training changes: float64[d], not yet clipped.

    `weights`: the global model, float64[d]; `seed`: of the batches' order, so one for each trainer and round.
    On the CPU the result is a function of the arguments alone. `threads`: of torch, for the time of the call.
    Raises BAD_DATA where training diverges.
    """
    import torch
    from torch import nn

    where = pick_device(device)
    with torch_threads(threads):
        start = weights.astype(np.float32).astype(np.float64)
        module = task.module(start).to(where).train()
        features, labels = tensors_on(where, dataset)
        trained = [p for p in module.parameters() if p.requires_grad]
        optimiser = Sgd(trained, lr=training.learning_rate, momentum=training.momentum)
        for batch in _batches(len(dataset), training, seed):
            index = torch.from_numpy(batch).to(features.device)
            inputs, targets = features[index].to(where), labels[index].to(where)
            optimiser.zero_grad()
            nn.functional.cross_entropy(module(inputs), targets).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            dataset.touch(len(batch))
        delta = task.vector(module) - start
    return finite(delta)


def finite(delta: Floats) -> Floats:
    """`delta`; raises BAD_DATA where training diverged."""
    if not np.isfinite(delta).all():
        raise FairshareError(
            Reason.BAD_DATA,
            "training diverged: the update holds NaN or infinity",
            "check the scale of X in your data; the owner's training.learning_rate may be too high for it",
        )
    return delta


def check_device(name: str) -> None:
    """Raises BAD_INPUT for a device that is not here, so that nobody joins who cannot train."""
    if name not in ("auto", "cpu"):  # always there: no reason to wait for torch
        pick_device(name)


def pick_device(name: str) -> torch.device:
    """The torch device for `name`; "auto" takes cuda, then mps, then the CPU."""
    import torch

    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, there in available.items() if there))
    if not available.get(name, False):
        raise FairshareError(
            Reason.BAD_INPUT, f"there is no device {name!r} here", f"use one of {', '.join(DEVICES)}"
        )
    return torch.device(name)


def tensors_on(where: torch.device, dataset: Dataset) -> tuple[torch.Tensor, torch.Tensor]:
    """X float32 [n, features] and y int64 [n] on a device; where X is mapped from a file, as they are, for batches."""
    import torch

    features, labels = torch.from_numpy(dataset.X), torch.from_numpy(dataset.y)
    return (features.to(where), labels.to(where)) if dataset.pages is None else (features, labels)


def _batches(count: int, training: TrainingSection, seed: int) -> Iterator[NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    for _ in range(training.epochs):
        order = generator.permutation(count)
        for first in range(0, count, training.batch_size):
            yield order[first : first + training.batch_size]


@contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """torch's thread count is the process's: set it for a while."""
    import torch

    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
