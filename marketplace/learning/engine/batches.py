"""Which rows a step is made of: the order of batches, and how micro-batches and processes share one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketplace.spec.sections import TrainingSection

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Share:
    """One process's rows of a micro-batch. `weight`: of their mean loss, so that gradients add up to the batch's."""

    rows: Rows
    weight: float


def batches(count: int, training: TrainingSection, seed: int) -> Iterator[Rows]:
    """A round's batches of `count` rows: each epoch all of them, in an order that follows from `seed`."""
    generator = np.random.default_rng(seed)
    for _ in range(training.epochs):
        order = generator.permutation(count)
        for first in range(0, count, training.batch_size):
            yield order[first : first + training.batch_size]


def shares(batch: Rows, accumulate: int, rank: int, size: int) -> list[Share]:
    """What process `rank` of `size` does for a batch: as many shares as any other, since they wait for each other.

    Gradients are averaged over processes. One that has no row left takes the batch's first, without weight.
    """
    made = []
    for part in np.array_split(batch, min(accumulate, len(batch))):
        mine = np.array_split(part, size)[rank]
        weight = len(mine) * size / len(batch)
        made.append(Share(mine if len(mine) else batch[:1], weight))
    return made
