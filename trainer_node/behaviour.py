"""What a trainer does with its data and updates: the honest way, and the attacks that the demo and the tests run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from marketplace.learning.data import Dataset
from marketplace.protocol.fixed_point import UPDATE_LIMIT

Update = NDArray[np.int16]


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
    def withholds(self) -> bool:
        """Whether it keeps its sealed updates to itself."""
        return self.attack is Attack.WITHHOLD

    def dataset(self, dataset: Dataset, classes: int) -> Dataset:
        """The data it trains on."""
        if self.attack is Attack.LABEL_FLIP:
            return Dataset(dataset.X, (classes - 1) - dataset.y)
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
