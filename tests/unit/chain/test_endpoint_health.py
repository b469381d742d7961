"""What makes an endpoint unfit: pure arithmetic over what it says of its chain."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.chain.endpoint_health import (
    MOST_AHEAD_S,
    MOST_BEHIND_S,
    Identity,
    Vitals,
    behind,
    foreign,
    is_ahead,
    newest_time,
)
from marketplace.chain.json_rpc import LARGEST_NUMBER, header_in, number_in

GENESIS, DEEP = b"g" * 32, b"d" * 32
IDENTITY = Identity(5, {0: GENESIS, 100: DEEP})


def vitals(chain_id: int = 5, head: int = 200, head_time: int = 1000, **hashes: bytes) -> Vitals:
    known = {0: GENESIS, 100: DEEP} | {int(name[1:]): value for name, value in hashes.items()}
    return Vitals(chain_id, known, head, head_time)


def test_another_chain_is_told_by_its_id_its_first_block_or_a_deep_one() -> None:
    assert foreign(vitals(), IDENTITY) is None
    assert "serves chain 6" in str(foreign(vitals(chain_id=6), IDENTITY))
    assert "block 0" in str(foreign(vitals(_0=b"x" * 32), IDENTITY))
    assert "block 100" in str(foreign(vitals(_100=b"x" * 32), IDENTITY))


def test_who_has_not_got_a_block_yet_is_of_no_other_chain() -> None:
    assert foreign(Vitals(5, {0: GENESIS}, 50, 500), IDENTITY) is None


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_no_endpoint_below_a_block_that_was_read(head: int, mark: int) -> None:
    assert (behind(vitals(head=head), mark, 1000) is None) == (head >= mark)


def test_an_old_head_is_behind() -> None:
    assert behind(vitals(head_time=1000), 0, 1000 + MOST_BEHIND_S) is None
    assert "older" in str(behind(vitals(head_time=1000), 0, 1001 + MOST_BEHIND_S))


def test_a_head_from_the_future_is_none_where_others_are_not() -> None:
    now, lie = 5000, 5000 + MOST_AHEAD_S + 1
    assert newest_time([now - 3, lie], now) == now - 3
    assert is_ahead(lie, [now - 3, lie], now)
    assert not is_ahead(now - 3, [now - 3, lie], now)
    # A chain whose time runs ahead, or this machine's clock that is late, is the same for all of them.
    assert newest_time([lie, lie + 1], now) == lie + 1
    assert not is_ahead(lie, [lie, lie + 1], now)


@pytest.mark.parametrize("value", [None, 3, "", "3", "0x", "0xzz", "0x" + "f" * 16, "0x1" + "0" * 40, [], {}])
def test_what_is_no_quantity(value: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  of int() or ours
        number_in(value)


@given(st.integers(0, LARGEST_NUMBER))
def test_quantities(value: int) -> None:
    assert number_in(hex(value)) == value


@pytest.mark.parametrize(
    "change", [{"hash": None}, {"hash": "0x12"}, {"hash": "zz" * 33}, {"number": 1}, {"timestamp": "now"}]
)
def test_what_is_no_header(change: dict[str, Any]) -> None:
    good = {"number": "0x2", "timestamp": "0x3", "hash": "0x" + "ab" * 32}
    assert header_in(good) == (2, 3, b"\xab" * 32)
    with pytest.raises(ValueError):  # noqa: PT011
        header_in(good | change)
    with pytest.raises(ValueError):  # noqa: PT011
        header_in([good])
