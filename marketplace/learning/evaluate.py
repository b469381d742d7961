"""How good a model is on a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from marketplace.learning.data import Dataset
from marketplace.learning.tasks import Task

if TYPE_CHECKING:
    import torch

Floats = NDArray[np.float64]

BATCH = 512  # rows at a time: a convolution of 32 channels over 28 x 28 takes 50 MB for them


def accuracy(task: Task, weights: Floats, dataset: Dataset) -> float:
    """Share of rows whose largest logit is their label, in [0, 1]."""
    logits = _logits(task, weights, dataset)
    return float((logits.argmax(dim=1).numpy() == dataset.y).mean())


def loss(task: Task, weights: Floats, dataset: Dataset) -> float:
    """Mean cross-entropy, in nats."""
    import torch
    from torch import nn

    logits = _logits(task, weights, dataset)
    return float(nn.functional.cross_entropy(logits.double(), torch.from_numpy(dataset.y)))


def _logits(task: Task, weights: Floats, dataset: Dataset) -> torch.Tensor:
    """On the CPU, so that whoever repeats it finds the same."""
    import torch

    module = task.module(weights).eval()
    with torch.no_grad():
        rows, logits = torch.from_numpy(dataset.X), []
        for i in range(0, len(rows), BATCH):
            logits.append(module(rows[i : i + BATCH]))
            dataset.touch(BATCH)
        return torch.cat(logits)
