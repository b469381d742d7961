from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from marketplace.chain.fees import Fees, gas_limit

wei = st.integers(0, 10**15)
fees = st.builds(Fees.for_next_blocks, wei, wei)


@given(fees, fees)
def test_a_replacement_raises_both_fees_by_a_tenth(offered: Fees, earlier: Fees) -> None:
    raised = offered.replacing(earlier)
    assert raised is not None
    assert raised.max_fee * 10 > earlier.max_fee * 11
    assert raised.priority_fee * 10 > earlier.priority_fee * 11
    assert raised.max_fee >= offered.max_fee
    assert raised.priority_fee >= offered.priority_fee
    assert raised.priority_fee <= raised.max_fee


@given(fees, fees, wei)
def test_a_replacement_stays_below_the_cap_or_is_none(offered: Fees, earlier: Fees, cap: int) -> None:
    raised = offered.replacing(earlier, cap)
    if raised is None:
        assert cap * 10 < max(earlier.max_fee, earlier.priority_fee) * 11
        return
    assert raised.priority_fee <= raised.max_fee <= max(cap, 0)
    assert raised.max_fee * 10 >= earlier.max_fee * 11
    assert raised.priority_fee * 10 >= earlier.priority_fee * 11


@given(fees, wei)
def test_capped_fees_are_valid(offered: Fees, cap: int) -> None:
    capped = offered.capped(cap)
    assert capped.priority_fee <= capped.max_fee == min(offered.max_fee, cap)
    assert offered.capped(None) == offered


@given(wei, wei)
def test_fees_cover_five_full_blocks(base_fee: int, priority: int) -> None:
    offered = Fees.for_next_blocks(base_fee, priority)
    grown = base_fee
    for _ in range(5):
        grown = grown * 9 // 8
    assert offered.max_fee >= grown + priority


@given(st.integers(21_000, 10**8), st.integers(10**6, 10**8))
def test_gas_limits_stay_within_a_block(estimate: int, block: int) -> None:
    assert gas_limit(estimate, block) <= block
    assert gas_limit(estimate, block) >= min(estimate, block)
