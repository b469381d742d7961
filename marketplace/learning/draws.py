"""Random numbers that are the same bit for bit on every machine and numpy.

numpy promises that for the raw stream of a seeded bit generator, not for its distributions; torch promises
it for neither. So floats are made here from the raw bits.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def uniform(seed: tuple[int, ...], size: int, bound: float) -> NDArray[np.float64]:
    """`size` floats in [-bound, bound), from PCG64 seeded with `seed`."""
    raw = np.random.PCG64(np.random.SeedSequence(seed)).random_raw(size)
    unit = (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return (2.0 * unit - 1.0) * bound


def layer(seed: tuple[int, ...], inputs: int, outputs: int) -> NDArray[np.float64]:
    """Weights [outputs, inputs] of a ReLU layer: uniform with variance 2 / inputs (He et al., ICCV 2015)."""
    return uniform(seed, inputs * outputs, math.sqrt(6.0 / inputs)).reshape(outputs, inputs)
