"""The sketch of a model's move, a part at a time: what it needs of memory does not grow with the model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from marketplace.protocol.sketch import Sketcher

_AT_ONCE = 1 << 16  # numbers


def sketch_of_move(
    sketcher: Sketcher, before: NDArray[np.int32], after: NDArray[np.int32]
) -> NDArray[np.int64]:
    """The sketch, int64 [k], of `after` less `before`, whole blocks of the same shape."""
    step = max(1, _AT_ONCE // sketcher.width) * sketcher.width
    total = np.zeros(sketcher.width, dtype=np.int64)
    for first in range(0, after.size, step):
        moved = move(before[first : first + step], after[first : first + step])
        total += sketcher.sketch(moved, first_block=first // sketcher.width)
    return total


def move(before: NDArray[np.int32], after: NDArray[np.int32]) -> NDArray[np.int64]:
    """`after` less `before`, which int32 may not hold."""
    return np.subtract(after, before, dtype=np.int64)
