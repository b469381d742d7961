"""Where colluders sit in different cohorts, the length of the round's step gives them away."""

from __future__ import annotations

import numpy as np
import pytest

from marketplace.audit.rounds import CohortReplay
from marketplace.audit.settlement import Settlement
from marketplace.audit.steps import check_step, hold_length
from marketplace.errors import FairshareError, Reason
from marketplace.protocol.krum import judge
from tests.support.crafted_updates import LARGE, ROOT, RULES, D, F, K, Vector, gram_of, signed, updates
from zk.curve import INFINITY
from zk.felts import FIELD

Rows = list[list[Vector]]  # by cohort, slot


def cohorts(rows: Rows) -> list[CohortReplay]:
    """As the replay leaves them; of what is paid it has nothing."""
    return [CohortReplay(i, (), INFINITY, INFINITY, settlement=_settled(of)) for i, of in enumerate(rows)]


def _settled(rows: list[Vector]) -> Settlement:
    matrix, positions = gram_of(rows), tuple(range(1, K + 1))
    judgement = judge(RULES, matrix, range(K), positions)
    assert set(range(F)) <= set(judgement.merged)
    assert not judgement.struck
    return Settlement(matrix, judgement, positions, 0, 0, {}, 0, 0, (0,) * K, INFINITY)


def models(rows: Rows, results: list[CohortReplay]) -> tuple[np.ndarray, np.ndarray]:
    """Before and after: int32, or they could not be shown."""
    merged = [
        of[slot]
        for of, cohort in zip(rows, results, strict=True)
        if cohort.settlement is not None
        for slot in cohort.settlement.judgement.merged
    ]
    before = np.arange(D, dtype=np.int32)
    step = np.array([signed(sum(row[t] for row in merged)) for t in range(D)], dtype=np.int64)
    assert np.abs(step).max() < 2**31
    return before, (before + step).astype(np.int32)


def test_honest_cohorts_move_no_further_than_they_can() -> None:
    rows = [updates(0), updates(0), updates(1)]  # two of them point the same way
    results = cohorts(rows)
    assert "of 3 cohorts together" in check_step(*models(rows, results), results)


@pytest.mark.parametrize("hidden", [1_000, LARGE])
def test_two_cohorts_whose_parts_cancel_move_further(hidden: int) -> None:
    """Each G is what an honest cohort's could be: no pair is far, no norm beyond the bound."""
    rows = [updates(0), updates(1)]
    for of, sign in zip(rows, (1, -1), strict=True):
        of[0][D - 2], of[0][D - 1] = hidden, sign * hidden * ROOT % FIELD
    results = cohorts(rows)
    with pytest.raises(FairshareError, match="some of them are no int16") as caught:
        check_step(*models(rows, results), results)
    assert caught.value.reason is Reason.AUDIT_FAILED


def test_a_cohort_alone_is_as_long_as_its_gram_matrix_says() -> None:
    """To the last unit, as sketches are held to it."""
    (alone,) = cohorts([updates(0)])
    assert alone.settlement is not None
    matrix, merged = alone.settlement.gram, alone.settlement.judgement.merged
    square = sum(matrix[i, j] for i in merged for j in merged)
    longest = hold_length(square, [alone])
    assert (longest - 1) ** 2 <= square < longest**2
    with pytest.raises(FairshareError, match="some of them are no int16"):
        hold_length(longest**2 + 1, [alone])


def test_an_unread_result_leaves_the_step_unchecked() -> None:
    results = cohorts([updates(0), updates(1)])
    results[1].settlement, results[1].unread = None, "its transaction was not read"
    with pytest.raises(FairshareError, match="its transaction was not read") as caught:
        check_step(np.zeros(D, np.int32), np.zeros(D, np.int32), results)
    assert caught.value.reason is not Reason.AUDIT_FAILED
