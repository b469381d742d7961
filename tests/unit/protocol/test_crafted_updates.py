"""range = disputed: updates of field elements that are no int16, past an aggregator that looks away (docs/proof.md).

An honest aggregator opens every update and complains: none of these reaches a result. Here nobody complains, and the
rules see the Gram matrix alone, as the circuit gives it: over the field, read as signed.
"""

from __future__ import annotations

from math import isqrt

import pytest

from marketplace.protocol.gram import Gram
from marketplace.protocol.krum import FarPair, Judgement, judge
from tests.support.crafted_updates import (
    BOUND,
    LARGE,
    ROOT,
    RULES,
    ZEROS,
    D,
    F,
    K,
    Vector,
    gram_of,
    signed,
    two_that_cancel,
    updates,
)
from zk.felts import FIELD


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


@pytest.mark.parametrize("name", sorted(set(CRAFTED) - {"halves"}))
def test_one_that_is_merged_leaves_a_model_that_nobody_can_show(name: str) -> None:
    """So whoever challenges the model wins: no answer opens it, the round is undone, the aggregator pays."""
    rows = updates()
    for at, entry in CRAFTED[name].items():
        rows[0][at] = entry
    _, verdict = judged(rows)
    assert (0 in verdict.merged) == ("norm" in name)  # the others are too long
    assert 0 not in verdict.merged or not can_be_shown(step(rows, verdict.merged))


def test_halves_of_honest_norm_are_refused() -> None:
    """Their norm is a whole number here; their products with the others are not all."""
    rows = updates()
    for at, entry in CRAFTED["halves"].items():
        rows[0][at] = entry
    assert 0 < gram_of(rows)[0, 0] <= BOUND
    with pytest.raises(FarPair):
        judged(rows)


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


@pytest.mark.parametrize("hidden", [1, 5, 12])
def test_where_no_pair_is_far_the_step_is_no_longer_than_the_norms_say(hidden: int) -> None:
    """|sum of merged|^2 is the sum of their entries of G, modulo p, and near ones are too small to wrap over."""
    rows = two_that_cancel(hidden)
    matrix, verdict = judged(rows)
    moved = step(rows, verdict.merged)
    assert {0, 1} <= set(verdict.merged)
    assert can_be_shown(moved)
    square = sum(entry**2 for entry in moved)
    assert square == sum(matrix[i, j] for i in verdict.merged for j in verdict.merged)
    assert square <= norm_bounds(matrix, verdict.merged) ** 2


@pytest.mark.parametrize("hidden", [60, 90, LARGE, 2**30 - 1])
def test_two_whose_parts_cancel_are_refused(hidden: int) -> None:
    """Two trainers and their aggregator: norms of honest size, a model that can be shown, a step beyond all bounds.

    The product of the two gives them away. The contract refuses it, too: `Attacks.testTwoWhosePartsCancelAreRefused`,
    and these very rounds in tests/differential/test_judge.py.
    """
    rows = two_that_cancel(hidden)
    moved = step(rows, tuple(range(K - F)))
    assert can_be_shown(moved)
    assert moved[D - 2] == 2 * hidden
    with pytest.raises(FarPair) as found:
        judged(rows)
    assert found.value.pair == (0, 1)
