"""From G to pay: the rules of docs/protocol.md, each where somebody tries to gain by breaking it."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.errors import Reason
from marketplace.protocol.field import FIELD_MODULUS
from marketplace.protocol.gram import Gram, gram
from marketplace.protocol.krum import FarPair, Judgement, Rules, ScoreRule, judge, mask, members, quorum
from marketplace.protocol.shares import amounts, contribution_units, divisor, round_budget, strike_loss

K, F, D = 7, 2, 6
BOUND = 10_000
ALL = range(K)
IN_ORDER = list(range(1, K + 1))


def rules(**changes: object) -> Rules:
    fields: dict[str, object] = {"slots": K, "faults": F, "max_norm_squared": BOUND, **changes}
    return Rules(**fields)  # type: ignore[arg-type]


def with_inner(matrix: Gram, cells: dict[tuple[int, int], int]) -> Gram:
    """The matrix with other inner products, by pair (i, j), i <= j."""
    slots, triangle = matrix.slots, list(matrix.triangle)
    for (i, j), inner in cells.items():
        triangle[i * slots - i * (i - 1) // 2 + j - i] = inner
    return Gram(slots, tuple(triangle))


def honest(seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [np.array([30, 20, 10, 0, 0, 0]) + rng.integers(-3, 4, D) for _ in ALL]


updates = st.lists(
    st.lists(st.integers(min_value=-60, max_value=60), min_size=D, max_size=D).map(np.array),
    min_size=K,
    max_size=K,
)


def test_quorum() -> None:
    assert quorum(10, 2) == 8
    assert quorum(7, 2) == 7
    assert quorum(3, 0) == 3


@given(st.sets(st.integers(min_value=0, max_value=15)))
def test_masks_round_trip(slots: set[int]) -> None:
    assert set(members(mask(slots))) == slots


@given(updates)
def test_gram_is_the_matrix_of_inner_products(rows: list[np.ndarray]) -> None:
    matrix = gram(rows)
    assert all(matrix[i, j] == int(rows[i] @ rows[j]) for i in ALL for j in ALL)


def test_gram_is_exact_beyond_int64() -> None:
    big = np.array([2**40, 1], dtype=np.int64)
    assert gram([big, big, None])[0, 1] == 2**80 + 1


def test_gram_refuses_a_triangle_of_another_size() -> None:
    with pytest.raises(ValueError, match="entries"):
        Gram(3, (0,) * 5)


@settings(max_examples=60)
@given(updates)
def test_judgement_is_multi_krum(rows: list[np.ndarray]) -> None:
    """Against the definition: brute force over neighbour sets and over merged sets."""
    verdict = judge(Rules(K, F, 10**9), gram(rows), ALL, IN_ORDER)
    near = K - F - 2
    for i in ALL:
        far = [int((rows[i] - rows[j]) @ (rows[i] - rows[j])) for j in ALL if j != i]
        assert verdict.scores[i] == min(sum(c) for c in combinations(far, near))
    ranked = sorted(ALL, key=lambda i: (verdict.scores[i], i))
    assert verdict.merged == tuple(sorted(ranked[: K - F]))


def test_sign_flip_is_left_out_struck_and_unpaid() -> None:
    rows = honest()
    rows[3] = -2 * rows[3]
    verdict = judge(rules(strike_factor=400), gram(rows), ALL, IN_ORDER)
    assert 3 not in verdict.merged
    assert verdict.struck == (3,)
    assert verdict.contributions[3] == 0


def test_exclusion_alone_is_no_offence() -> None:
    verdict = judge(rules(strike_factor=400), gram(honest()), ALL, IN_ORDER)
    assert len(verdict.merged) == K - F
    assert verdict.struck == ()


def test_an_oversized_update_is_struck_and_absent() -> None:
    rows = honest()
    rows[0] = rows[0] * 100
    larger = Rules(8, 2, BOUND)
    nine = [*rows, honest(1)[0]]
    verdict = judge(larger, gram(nine), range(8), range(1, 9))
    without = judge(larger, gram([None, *nine[1:]]), range(1, 8), range(1, 9))
    assert verdict.oversized == (0,)
    assert verdict.struck == (0,)
    assert verdict.merged == without.merged
    assert verdict.contributions == without.contributions


def test_too_few_present_merge_nothing_but_oversized_are_struck() -> None:
    rows = honest()
    rows[0] = rows[0] * 100
    verdict = judge(rules(), gram(rows), ALL, IN_ORDER)
    assert (verdict.merged, verdict.struck, sum(verdict.contributions)) == ((), (0,), 0)


@pytest.mark.parametrize("inner", [BOUND + 1, -BOUND - 1, 9_000, -9_000, 2**128, FIELD_MODULUS // 2])
def test_inner_products_that_no_vectors_have_are_refused(inner: int) -> None:
    """A wrapped update: small norm, and beyond the bound or Cauchy-Schwarz, where its distance would be negative."""
    matrix = gram(honest())
    with pytest.raises(FarPair) as found:
        judge(rules(strike_factor=400), with_inner(matrix, {(5, 6): inner, (2, 4): inner}), ALL, IN_ORDER)
    assert (found.value.pair, found.value.reason) == ((2, 4), Reason.INTEGRITY)


@given(updates, st.sampled_from([(i, j) for j in ALL for i in range(j)]), st.sampled_from([1, -1]))
def test_no_vectors_within_the_bound_are_refused(
    rows: list[np.ndarray], pair: tuple[int, int], sign: int
) -> None:
    """Cauchy and Schwarz: parallel ones are at the limit, and one more than that is refused."""
    i, j = pair
    rows[j] = rows[i] * sign
    within = Rules(K, F, max(int(row @ row) for row in rows))
    judge(within, gram(rows), ALL, IN_ORDER)
    beyond = sign * (int(rows[i] @ rows[i]) + 1)
    with pytest.raises(FarPair):
        judge(within, with_inner(gram(rows), {pair: beyond}), ALL, IN_ORDER)


def test_absent_ones_may_have_any_inner_product() -> None:
    """As an honest update beyond the bound has. Below the quorum nothing is merged, and nothing looked at."""
    rows = [*honest(), honest(1)[0]]
    larger = Rules(8, 2, BOUND)
    wild = {(0, j): 2**128 for j in range(1, 8)} | {(0, 0): BOUND + 1}
    verdict = judge(larger, with_inner(gram(rows), wild), range(8), range(1, 9))
    assert verdict == judge(larger, with_inner(gram(rows), {(0, 0): BOUND + 1}), range(8), range(1, 9))
    assert verdict.struck == (0,)
    wild = {(0, 0): BOUND + 1, (1, 2): 2**128}
    assert judge(rules(), with_inner(gram(honest()), wild), ALL, IN_ORDER).merged == ()


def test_blowing_an_update_up_earns_nothing_more() -> None:
    rows = honest()
    plain = judge(Rules(K, F, 10**9), gram(rows), ALL, IN_ORDER)
    slot = plain.merged[0]
    rows[slot] = rows[slot] + np.array([6, 4, 2, 0, 0, 0])
    blown = judge(Rules(K, F, 10**9), gram(rows), ALL, IN_ORDER)
    if slot in blown.merged:
        gained = blown.contributions[slot] / sum(blown.contributions)
        assert gained <= plain.contributions[slot] / sum(plain.contributions) * 1.05


def test_cosine_ignores_length() -> None:
    rows = [np.array([10, 0, 0, 0, 0, 0])] * K
    rows[0] = np.array([12, 0, 0, 0, 0, 0])
    verdict = judge(rules(score_rule=ScoreRule.COSINE), gram(rows), ALL, IN_ORDER)
    paid = {verdict.contributions[i] for i in verdict.merged}
    assert len(paid) == 1


def test_ties_are_broken_by_slot() -> None:
    rows = [np.array([5, 5, 0, 0, 0, 0])] * K
    verdict = judge(rules(), gram(rows), ALL, IN_ORDER)
    assert verdict.merged == tuple(range(K - F))


def test_all_zero_updates_are_paid_nothing() -> None:
    verdict = judge(rules(strike_factor=400), gram([np.zeros(D, int)] * K), ALL, IN_ORDER)
    assert verdict.merged == tuple(range(K - F))
    assert sum(verdict.contributions) == 0
    assert verdict.struck == ()


def test_of_two_near_duplicates_the_later_is_paid_nothing() -> None:
    rows = honest()
    rows[1] = rows[0].copy()
    positions = [2, 1, 3, 4, 5, 6, 7]  # slot 1 submitted first
    verdict = judge(rules(duplicate_cosine=9_999), gram(rows), ALL, positions)
    assert verdict.contributions[0] == 0
    assert {0, 1} <= set(verdict.merged)
    assert verdict.contributions[1] > 0


def test_opposite_vectors_are_no_duplicates() -> None:
    rows = honest()
    rows[1] = -rows[0]
    verdict = judge(Rules(K, F, 10**9, duplicate_cosine=9_999), gram(rows), ALL, IN_ORDER)
    assert verdict.contributions[0] > 0


@given(updates, st.integers(0, 2**96), st.integers(0, 10_000), st.booleans())
def test_amounts_never_exceed_the_pot(
    rows: list[np.ndarray], pot: int, reference_share: int, present: bool
) -> None:
    owner = np.array([30, 20, 10, 0, 0, 0])
    by_owner = rules(reference=True)
    verdict = judge(by_owner, gram([*rows, owner]), ALL, IN_ORDER, reference_present=present)
    paid = amounts(verdict, pot, reference_share)
    assert sum(paid) <= pot
    for slot, amount in enumerate(paid):
        if amount:
            assert verdict.contributions[slot] or verdict.reference_contributions[slot]


@given(
    st.integers(min_value=0, max_value=2**96),
    st.integers(min_value=1, max_value=2**16),
    st.integers(min_value=1, max_value=15),
    st.integers(min_value=0, max_value=2**64),
)
def test_round_budgets_stay_within_the_reward(reward: int, rounds: int, cohorts: int, fee: int) -> None:
    assert rounds * cohorts * (round_budget(reward, rounds, cohorts, fee) + fee) <= reward


def test_units_strikes_and_divisors() -> None:
    assert contribution_units(earned=25, rounds=4, reward=100) == 1_000_000
    assert strike_loss(stake_left=30, stake=100, strike_slash=5_000) == 30
    assert strike_loss(stake_left=80, stake=100, strike_slash=5_000) == 50
    assert divisor(cohorts=2, slots=10, faults=2) == 16


OWNER = np.array([30, 20, 10, 0, 0, 0])


def judged_by(owner: np.ndarray, rows: list[np.ndarray], **changes: object) -> Judgement:
    return judge(
        rules(reference=True, **changes), gram([*rows, owner]), ALL, IN_ORDER, reference_present=True
    )


def test_a_reference_pays_for_progress_along_it() -> None:
    verdict = judged_by(OWNER, honest())
    assert verdict.by_reference
    paid = [slot for slot, part in enumerate(verdict.reference_contributions) if part]
    assert paid == list(verdict.merged)


def test_a_reference_has_no_say_in_who_is_merged() -> None:
    rows = honest()
    without = judge(rules(), gram(rows), ALL, IN_ORDER)
    against = judged_by(-OWNER, rows)
    assert (against.merged, against.contributions) == (without.merged, without.contributions)
    assert sum(against.reference_contributions) == 0


@pytest.mark.parametrize("owner", [OWNER * 0, OWNER * 100])
def test_a_reference_of_nothing_or_beyond_the_bound_is_none(owner: np.ndarray) -> None:
    verdict = judged_by(owner, honest())
    assert not verdict.by_reference
    assert amounts(verdict, 1000, 8_000) == amounts(judge(rules(), gram(honest()), ALL, IN_ORDER), 1000, 0)


def test_an_update_blown_up_gains_nothing_by_the_reference() -> None:
    rows = honest()
    plain = judged_by(OWNER, rows, max_norm_squared=10**9)
    blown = judged_by(OWNER, [rows[0] * 20, *rows[1:]], max_norm_squared=10**9)
    assert blown.reference_contributions[0] <= max(plain.reference_contributions) * 1.1


@pytest.mark.parametrize("inner", [BOUND, -BOUND])
def test_an_impossible_inner_product_with_the_reference_is_refused(inner: int) -> None:
    """More than Cauchy and Schwarz allow, with whichever slot; where the reference counts."""
    by_owner, matrix = rules(reference=True), gram([*honest(), OWNER])
    for slot in ALL:
        wrong = with_inner(matrix, {(slot, K): inner})
        with pytest.raises(FarPair) as found:
            judge(by_owner, wrong, ALL, IN_ORDER, reference_present=True)
        assert found.value.pair == (slot, K)
        judge(by_owner, wrong, ALL, IN_ORDER)
        judge(by_owner, with_inner(wrong, {(K, K): BOUND + 1}), ALL, IN_ORDER, reference_present=True)
