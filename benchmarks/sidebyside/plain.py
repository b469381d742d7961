"""What everybody trains: read from a folder, a network and ordinary SGD on a part of the data.

In torch and numpy alone, as Flower's environment has nothing of this project. A round changes the model by what the
market's trainers would change it by, bit for bit (`tests/unit/benchmarks/test_sidebyside.py`).
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

try:
    from sidebyside.work import FINAL, INITIAL, MARKS, Work, folder, read_work
except ModuleNotFoundError:  # as an app of Flower's, from a copy of this folder
    from work import FINAL, INITIAL, MARKS, Work, folder, read_work  # type: ignore[import-not-found,no-redef]

__all__ = ["FINAL", "INITIAL", "MARKS", "Work", "folder", "read_work"]

Vector = NDArray[np.float32]


def module_of(work: Work) -> nn.Module:
    """float32 [n, 784] to logits [n, 10], the numbers of its layers not yet set."""
    if work.kind == "mlp":
        return nn.Sequential(_linear(784, work.hidden), nn.ReLU(), _linear(work.hidden, 10))
    first, second = work.channels, 2 * work.channels
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        _convolution(1, first),
        nn.ReLU(),
        nn.MaxPool2d(2),
        _convolution(first, second),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        _linear(second * 49, work.hidden),
        nn.ReLU(),
        _linear(work.hidden, 10),
    )


@dataclass(frozen=True)
class Part:
    """X: float32 [n, 784]; y: int64 [n]."""

    X: torch.Tensor
    y: torch.Tensor


def read_part(where: Path, name: str) -> Part:
    """A trainer's data."""
    with np.load(where / f"{name}.npz") as arrays:
        return Part(torch.from_numpy(arrays["X"]), torch.from_numpy(arrays["y"]))


def train(work: Work, start: Vector, part: Part, trainer: int, round_: int) -> Vector:
    """The parameters after a round of one trainer's training."""
    module = _with_vector(module_of(work), start).train()
    optimiser = torch.optim.SGD(module.parameters(), lr=work.learning_rate, momentum=work.momentum)
    order = np.random.default_rng(_seed_of(work.seed + trainer, round_))
    for _ in range(work.epochs):
        rows = order.permutation(len(part.y))
        for first in range(0, len(rows), work.batch_size):
            batch = torch.from_numpy(rows[first : first + work.batch_size])
            optimiser.zero_grad()
            nn.functional.cross_entropy(module(part.X[batch]), part.y[batch]).backward()
            optimiser.step()
    return _vector_of(module)


def parameters(work: Work) -> int:
    """How many numbers are trained."""
    return sum(numbers.numel() for numbers in module_of(work).parameters())


def accuracy(work: Work, vector: Vector, part: Part) -> float:
    """Share of rows that are classified as labelled."""
    module = _with_vector(module_of(work), vector).eval()
    with torch.no_grad():
        return float((module(part.X).argmax(1) == part.y).double().mean())


@dataclass
class Marks:
    """When rounds ended, in seconds since 1970, written down at once."""

    where: Path
    at: list[float]

    @classmethod
    def begin(cls, where: Path) -> Marks:
        """The first round begins."""
        return cls(where, [time.time()])

    def mark(self) -> None:
        """A round has ended."""
        self.at.append(time.time())
        (self.where / MARKS).write_text(json.dumps(self.at), "utf8")


def _seed_of(seed: int, round_: int) -> int:
    """As `trainer_node.work.seed_of`."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{round_}".encode()).digest()[:4], "big")


def _linear(inputs: int, outputs: int) -> Any:
    return _in_memory(nn.Linear(inputs, outputs, device="meta"))


def _convolution(inputs: int, outputs: int) -> Any:
    return _in_memory(nn.Conv2d(inputs, outputs, 3, padding=1, device="meta"))


def _in_memory(layer: nn.Module) -> nn.Module:
    """`skip_init` without its import of sympy, which would be in everybody's time."""
    for name, parameter in list(layer.named_parameters()):
        setattr(layer, name, nn.Parameter(torch.empty(parameter.shape)))
    return layer


def _with_vector(module: nn.Module, vector: Vector) -> nn.Module:
    with torch.no_grad():
        vector_to_parameters(torch.from_numpy(vector.copy()), module.parameters())
    return module


def _vector_of(module: nn.Module) -> Vector:
    flat: Vector = parameters_to_vector(module.parameters()).detach().numpy()
    return flat
