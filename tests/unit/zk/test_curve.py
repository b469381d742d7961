"""Curve arithmetic against the group laws and known points of EIP-196."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py_ecc.bn128 import G1, curve_order, multiply

from marketplace.errors import FairshareError, Reason
from zk import curve
from zk.curve import BASE_FIELD, INFINITY, Point


def multiple(scalar: int) -> Point:
    point = multiply(G1, scalar)
    return INFINITY if point is None else Point(int(point[0].n), int(point[1].n))


points = st.integers(min_value=0, max_value=curve_order - 1).map(multiple)


@settings(max_examples=25, deadline=None)
@given(points, points, points)
def test_addition_is_a_commutative_group(a: Point, b: Point, c: Point) -> None:
    assert curve.add(a, b) == curve.add(b, a)
    assert curve.add(curve.add(a, b), c) == curve.add(a, curve.add(b, c))
    assert curve.add(a, INFINITY) == a
    assert curve.subtract(a, a) == INFINITY
    assert curve.add(curve.subtract(a, b), b) == a


def test_doubling_the_generator_gives_the_known_point() -> None:
    assert curve.add(Point(1, 2), Point(1, 2)) == Point(
        1368015179489954701390400359078579693043519447331113978918064868415326638035,
        9918110051302171585080402603319702774565515993150576347155970296011118125764,
    )


@settings(max_examples=25, deadline=None)
@given(points, st.lists(points, max_size=4), points)
def test_moved_adds_each_commitment_less_the_zero(
    model: Point, commitments: list[Point], zero: Point
) -> None:
    expected = model
    for commitment in commitments:
        expected = curve.add(expected, curve.subtract(commitment, zero))
    assert curve.moved(model, commitments, zero) == expected


@settings(max_examples=50, deadline=None)
@given(points)
def test_bytes_round_trip(point: Point) -> None:
    encoded = curve.to_bytes(point)
    assert len(encoded) == 64
    assert encoded[:32] == point.x.to_bytes(32, "big")
    assert curve.from_bytes(encoded) == point


@pytest.mark.parametrize(
    "point",
    [Point(1, 3), Point(BASE_FIELD + 1, 2), Point(1, BASE_FIELD + 2), Point(-1, 2), Point(0, BASE_FIELD)],
)
def test_points_off_the_curve_or_unreduced_are_refused(point: Point) -> None:
    assert not curve.is_on_curve(point)
    with pytest.raises(FairshareError) as refused:
        curve.add(point, Point(1, 2))
    assert refused.value.reason is Reason.BAD_INPUT


@pytest.mark.parametrize("data", [b"", b"\0" * 63, b"\0" * 65, b"\1" * 64, b"\xff" * 64])
def test_bytes_of_no_point_are_refused(data: bytes) -> None:
    with pytest.raises(FairshareError) as refused:
        curve.from_bytes(data)
    assert refused.value.reason is Reason.INTEGRITY
