"""Updates of field elements that are no int16, among honest ones, and the Gram matrix that a proof shows of them."""

from __future__ import annotations

import numpy as np

from marketplace.protocol.gram import Gram, triangle_size
from marketplace.protocol.krum import Rules
from zk.felts import FIELD

K, F, D = 8, 2, 24
ZEROS = 4  # entries at the end that honest updates leave at zero: padding, or pixels that are always dark
BOUND = 40_000
RULES = Rules(K, F, BOUND, strike_factor=300)
ROOT = pow(5, (FIELD - 1) // 4, FIELD)  # its square is -1, so (x, x ROOT) has the norm 0
LARGE = 3_000_000  # beyond int16 and the bound, within a model's int32

Vector = list[int]


def updates(seed: int = 0) -> list[Vector]:
    """About alike, within the bound; the first two, which the tests alter, go where all go."""
    rng = np.random.default_rng(seed)
    common = rng.integers(-40, 41, D - ZEROS)
    noise = [rng.integers(-30, 31, D - ZEROS) // (3 if i < F else 1) for i in range(K)]
    return [[*map(int, common + one), *[0] * ZEROS] for one in noise]


def signed(value: int) -> int:
    """A field element read as signed."""
    value %= FIELD
    return value if value <= FIELD // 2 else value - FIELD


def gram_of(rows: list[Vector]) -> Gram:
    """What the proof publishes."""
    inner = (
        signed(sum(a * b for a, b in zip(rows[i], rows[j], strict=True)))
        for i in range(K)
        for j in range(i, K)
    )
    triangle = tuple(inner)
    assert len(triangle) == triangle_size(K)
    return Gram(K, triangle)


def two_that_cancel(hidden: int) -> list[Vector]:
    """The first two have parts out of range, of norm zero each, that add up to 2 * hidden in one row."""
    rows = updates()
    rows[0][D - 2], rows[0][D - 1] = hidden, hidden * ROOT % FIELD
    rows[1][D - 2], rows[1][D - 1] = hidden, -hidden * ROOT % FIELD
    plain, matrix = gram_of(updates()), gram_of(rows)
    assert [matrix[i, i] for i in range(K)] == [plain[i, i] for i in range(K)]
    return rows
