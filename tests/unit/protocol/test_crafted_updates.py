"""range = disputed: updates of field elements that are no int16, past an aggregator that looks away (docs/proof.md).

An honest aggregator opens every update and complains: none of these reaches a result. Here nobody complains, and the
rules see the Gram matrix alone, as the circuit gives it: over the field, read as signed.
"""

from __future__ import annotations

from math import isqrt

import numpy as np
import pytest

from marketplace.protocol.gram import Gram, triangle_size
from marketplace.protocol.krum import Judgement, Rules, judge, near
from zk.felts import FIELD

K, F, D = 8, 2, 24
ZEROS = (
    4  # entries at the end that honest updates leave at zero: the catalogue's padding, or pixels always dark
)
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


def judged(rows: list[Vector]) -> tuple[Gram, Judgement]:
    matrix = gram_of(rows)
    return matrix, judge(RULES, matrix, range(K), list(range(1, K + 1)))


def step(rows: list[Vector], merged: tuple[int, ...]) -> Vector:
    """What the model moves by: the sum behind the merged commitments."""
    return [signed(sum(rows[i][t] for i in merged)) for t in range(D)]


def can_be_shown(vector: Vector) -> bool:
    """Whether a model that moved by it can be put on chain: int32, in every row."""
    return all(-(2**31) <= entry < 2**31 for entry in vector)


def norm_bounds(matrix: Gram, merged: tuple[int, ...]) -> int:
    """The longest sum of merged updates that are within the norms that G states."""
    return sum(isqrt(matrix[i, i]) + 1 for i in merged)


CRAFTED = {
    "a huge element": {D - 1: 2**200},
    "a huge negative one": {D - 1: -(2**130)},
    "half the field": {D - 1: FIELD // 2},
    "norm zero, on top of an honest norm": {D - 2: 2**60, D - 1: 2**60 * ROOT},
    "norm zero, from the ends of int16": {D - 2: 32767, D - 1: 32767 * ROOT},
    "beyond the bound, wrapped to an honest norm": {D - 2: LARGE, D - 1: LARGE * ROOT},
    "halves": {t: (2 * t + 1) * pow(2, -1, FIELD) for t in range(D - ZEROS)},
}


@pytest.mark.parametrize("name", CRAFTED)
def test_one_that_is_merged_leaves_a_model_that_nobody_can_show(name: str) -> None:
    """So whoever challenges the model wins: no answer opens it, the round is undone, the aggregator pays."""
    rows = updates()
    for at, entry in CRAFTED[name].items():
        rows[0][at] = entry
    _, verdict = judged(rows)
    assert (0 in verdict.merged) == ("norm" in name)  # the others look far from everybody, or too long
    assert 0 not in verdict.merged or not can_be_shown(step(rows, verdict.merged))


def test_a_vector_of_norm_zero_is_paid_nothing() -> None:
    rows = updates()
    rows[0] = [0] * (D - 2) + [2**60, 2**60 * ROOT]
    matrix, verdict = judged(rows)
    assert matrix[0, 0] == 0
    assert verdict.contributions[0] == 0
    assert 0 not in verdict.merged or not can_be_shown(step(rows, verdict.merged))


def test_no_slot_is_paid_more_than_for_pointing_the_same_way_as_all() -> None:
    """Whatever G holds: |G_0j| <= n_0 n_j where it counts, and norms count up to their median."""
    rows = updates()
    matrix = gram_of(rows)
    best = list(matrix.triangle)
    for j in range(1, K):
        best[j] = isqrt(matrix[0, 0] * matrix[j, j])
    verdict = judge(RULES, Gram(K, tuple(best)), range(K), list(range(1, K + 1)))
    norms = [isqrt(matrix[i, i]) for i in range(K)]
    assert 0 in verdict.merged
    limit = (sorted(norms)[(K - 1) // 2] + 1) * sum(norms[j] + 1 for j in verdict.merged)
    assert 0 < verdict.contributions[0] <= limit


@pytest.mark.parametrize(("hidden", "together"), [(1, True), (5, True), (60, False), (90, False)])
def test_where_no_pair_is_far_the_step_is_no_longer_than_the_norms_say(hidden: int, together: bool) -> None:
    """|sum of merged|^2 is the sum of their entries of G, modulo p, and near ones are too small to wrap over."""
    rows = updates()
    rows[0][D - 2], rows[0][D - 1] = hidden, hidden * ROOT % FIELD
    rows[1][D - 2], rows[1][D - 1] = hidden, -hidden * ROOT % FIELD
    matrix, verdict = judged(rows)
    moved = step(rows, verdict.merged)
    assert {0, 1} <= set(verdict.merged)
    assert can_be_shown(moved)
    square = sum(entry**2 for entry in moved)
    assert square == sum(matrix[i, j] for i in verdict.merged for j in verdict.merged)
    assert near(RULES, matrix, 0, 1) == together
    if together:
        assert square <= norm_bounds(matrix, verdict.merged) ** 2


def test_known_gap_two_whose_parts_cancel_hide_what_they_add() -> None:
    """Two trainers and their aggregator: norms of honest size, a model that can be shown, a step beyond all bounds.

    Only the pair's own inner product looks impossible (far), which costs neither of them anything. With range = proven
    there is no such update (tests/unit/zk/test_range.py). docs/proof.md says what this means.
    """
    rows = updates()
    rows[0][D - 2], rows[0][D - 1] = LARGE, LARGE * ROOT % FIELD
    rows[1][D - 2], rows[1][D - 1] = LARGE, -LARGE * ROOT % FIELD
    matrix, verdict = judged(rows)
    plain = gram_of(updates())
    assert [matrix[i, i] for i in range(K)] == [plain[i, i] for i in range(K)]
    assert {0, 1} <= set(verdict.merged)
    assert not verdict.struck
    assert min(verdict.contributions[:2]) > 0
    moved = step(rows, verdict.merged)
    assert can_be_shown(moved)
    assert moved[D - 2] == 2 * LARGE > 1000 * norm_bounds(matrix, verdict.merged)
    far = [(i, j) for i in range(K) for j in range(i) if not near(RULES, matrix, i, j)]
    assert far == [(1, 0)]
