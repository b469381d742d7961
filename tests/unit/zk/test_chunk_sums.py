"""Merging chunk points: what the curve's own additions give, and any difference is found."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py_ecc.bn128 import G1, curve_order, multiply

from zk import curve
from zk.chunk_sums import moved_points, sums_hold
from zk.curve import INFINITY, Point


def _multiple(scalar: int) -> Point:
    point = multiply(G1, scalar)
    return INFINITY if point is None else Point(int(point[0].n), int(point[1].n))


# Few different ones, so that equal and opposite points meet.
points = st.one_of(st.integers(0, 3), st.integers(curve_order - 3, curve_order - 1)).map(_multiple)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_every_chunk_moves_as_a_commitment_does(data: st.DataObject) -> None:
    chunks, inputs = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 3))
    some = st.lists(points, min_size=chunks, max_size=chunks)
    before, merged, zero = data.draw(some), [data.draw(some) for _ in range(inputs)], data.draw(points)
    after = moved_points(before, merged, zero)
    for j in range(chunks):
        assert after[j] == curve.moved(before[j], [update[j] for update in merged], zero)
    assert sums_hold(before, after, merged, zero) is None
    wrong = data.draw(st.integers(0, chunks - 1))
    after[wrong] = curve.add(after[wrong], Point(1, 2))
    assert sums_hold(before, after, merged, zero) == wrong


def test_the_first_chunk_that_does_not_hold_is_named() -> None:
    before, zero = [_multiple(k) for k in (5, 6, 7, 8)], _multiple(2)
    merged = [[_multiple(k) for k in (1, 2, 3, 4)]]
    after = [_multiple(k) for k in (4, 7, 8, 9)]
    assert sums_hold(before, after, merged, zero) == 1
    assert sums_hold(before, [after[0], _multiple(6), *after[2:]], merged, zero) == 3


def test_unequal_lengths_are_an_error() -> None:
    one, two = [Point(1, 2)], [Point(1, 2), INFINITY]
    for before, after, merged in ((one, two, [one]), (two, one, [two]), (one, one, [two]), (two, two, [one])):
        with pytest.raises(ValueError, match="zip"):
            sums_hold(before, after, merged, Point(1, 2))
