"""What a trainer does with its data and updates: the honest way, and the attacks that the demo and the tests run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from marketplace.learning.data import Dataset
from marketplace.node.vectors import Committed, with_leaves
from marketplace.protocol.chunk_tree import ChunkTree, Leaf
from marketplace.protocol.fixed_point import UPDATE_LIMIT
from zk import curve
from zk.curve import Point

Update = NDArray[np.int16]

_GENERATOR = Point(1, 2)


class Attack(StrEnum):
    """Ways for a trainer to cheat; for test chains only."""

    SIGN_FLIP = "sign-flip"  # the update's opposite, as long as the norm bound allows
    SCALE = "scale"  # the update blown up far beyond the norm bound
    RANDOM = "random"  # noise as long as the norm bound allows
    ZERO = "zero"  # no work: the zero update
    LABEL_FLIP = "label-flip"  # trains on wrong labels
    COPY = "copy"  # resubmits another's digest and sealed update
    ABSENT = "absent"  # joins and never submits
    WITHHOLD = "withhold"  # submits, and never hands the update over
    # On the sketch path:
    FALSE_LEAF = "false-leaf"  # commits to a leaf that is not of its chunk
    ONE_CHUNK = "one-chunk"  # never hands the update over but for the chunk that a complaint names
    ACCOMPLICE = "accomplice"  # contests nothing that an aggregator says of its update


SKETCHED = frozenset({Attack.FALSE_LEAF, Attack.ONE_CHUNK, Attack.ACCOMPLICE})


@dataclass(frozen=True)
class Behaviour:
    """How a trainer node behaves; without an attack, honestly."""

    attack: Attack | None = None

    @property
    def submits(self) -> bool:
        """Whether it ever submits."""
        return self.attack is not Attack.ABSENT

    @property
    def copies(self) -> bool:
        """Whether it submits what another trainer submitted."""
        return self.attack is Attack.COPY

    @property
    def serves(self) -> bool:
        """Whether it hands its sealed updates over."""
        return self.attack not in (Attack.WITHHOLD, Attack.ONE_CHUNK)

    @property
    def answers(self) -> bool:
        """Whether it answers complaints."""
        return self.attack is not Attack.WITHHOLD

    @property
    def contests(self) -> bool:
        """Whether it looks at what results say of its update."""
        return self.attack is not Attack.ACCOMPLICE

    def committed(self, true: Committed) -> Committed:
        """What it commits to in place of the true leaves."""
        if self.attack is not Attack.FALSE_LEAF:
            return true
        chunk = len(true.leaves) // 2
        leaf = true.leaves[chunk]
        point = curve.add(Point(leaf.x, leaf.y), _GENERATOR)
        false = Leaf(point.x, point.y, leaf.hash)
        return with_leaves(true.update, ChunkTree((*true.leaves[:chunk], false, *true.leaves[chunk + 1 :])))

    def dataset(self, dataset: Dataset, classes: int) -> Dataset:
        """The data it trains on."""
        if self.attack is Attack.LABEL_FLIP:
            return replace(dataset, y=(classes - 1) - dataset.y)
        return dataset

    def update(self, update: Update, max_norm_squared: int, seed: int) -> Update:
        """The update, int16[d], that it submits in place of the honest `update`."""
        if self.attack is Attack.SIGN_FLIP:
            return _stretched(-update.astype(np.float64), max_norm_squared)
        if self.attack is Attack.RANDOM:
            noise = np.random.default_rng(seed).standard_normal(update.shape)
            return _stretched(noise, max_norm_squared)
        if self.attack is Attack.SCALE:
            longer = (
                4.0 * isqrt(max_norm_squared) / max(1.0, float(np.linalg.norm(update.astype(np.float64))))
            )
            return _saturated(update.astype(np.float64) * max(longer, 10.0))
        if self.attack is Attack.ZERO:
            return np.zeros_like(update)
        return update


def _stretched(vector: NDArray[np.float64], max_norm_squared: int) -> Update:
    """`vector` at nearly the largest norm allowed; rounding towards zero keeps it within."""
    norm = float(np.linalg.norm(vector))
    return _saturated(np.trunc(vector * (isqrt(max_norm_squared) / norm))) if norm else _saturated(vector)


def _saturated(vector: NDArray[np.float64]) -> Update:
    return np.clip(vector, -UPDATE_LIMIT, UPDATE_LIMIT).astype(np.int16)
