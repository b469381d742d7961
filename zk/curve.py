"""Points of BN254's G1 (y^2 = x^3 + 3 over the base field), as commitments use them.

Curve: EIP-196. The point at infinity is (0, 0), as in the precompiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from py_ecc.bn128.bn128_curve import add as _add
from py_ecc.bn128.bn128_curve import b as _b
from py_ecc.bn128.bn128_curve import is_on_curve as _is_on_curve
from py_ecc.bn128.bn128_curve import multiply as _multiply
from py_ecc.bn128.bn128_curve import neg as _neg
from py_ecc.fields import bn128_FQ as FQ

from marketplace.errors import FairshareError, Reason

BASE_FIELD = 21888242871839275222246405745257275088696311157297823662689037894645226208583
SIZE = 64  # bytes of an encoded point


class Point(NamedTuple):
    """Affine coordinates, each in [0, BASE_FIELD)."""

    x: int
    y: int


class G2(NamedTuple):
    """Affine coordinates of a point of G2, imaginary parts first (EIP-197)."""

    x_imaginary: int
    x_real: int
    y_imaginary: int
    y_real: int


INFINITY = Point(0, 0)


def is_on_curve(point: Point) -> bool:
    """Whether `point` is the point at infinity or satisfies the curve's equation with reduced coordinates."""
    if not (0 <= point.x < BASE_FIELD and 0 <= point.y < BASE_FIELD):
        return False
    return bool(_is_on_curve(_inner(point), _b))


def add(a: Point, b: Point) -> Point:
    """a + b; both must be on the curve (FairshareError BAD_INPUT)."""
    return _outer(_add(_checked(a), _checked(b)))


def subtract(a: Point, b: Point) -> Point:
    """a - b; both must be on the curve (FairshareError BAD_INPUT)."""
    return _outer(_add(_checked(a), _neg(_checked(b))))


def multiply(point: Point, factor: int) -> Point:
    """factor * point, factor >= 0; the point must be on the curve (FairshareError BAD_INPUT)."""
    return _outer(_multiply(_checked(point), factor))


def moved(model: Point, commitments: Sequence[Point], zero: Point) -> Point:
    """The model's commitment after a round: M + sum over the merged commitments of (C_i - C_0)."""
    total, minus_zero = _checked(model), _neg(_checked(zero))
    for commitment in commitments:
        total = _add(_add(total, _checked(commitment)), minus_zero)
    return _outer(total)


def to_bytes(point: Point) -> bytes:
    """64 bytes: x, then y, big-endian."""
    return x_bytes(point) + point.y.to_bytes(32, "big")


def x_bytes(point: Point) -> bytes:
    """32 bytes: x, big-endian."""
    return point.x.to_bytes(32, "big")


def from_bytes(data: bytes) -> Point:
    """The inverse of `to_bytes`; FairshareError(INTEGRITY) unless it is 64 bytes of a point on the curve."""
    if len(data) != SIZE:
        raise FairshareError(Reason.INTEGRITY, f"a curve point has {SIZE} bytes, not {len(data)}")
    point = Point(int.from_bytes(data[:32], "big"), int.from_bytes(data[32:], "big"))
    if not is_on_curve(point):
        raise FairshareError(Reason.INTEGRITY, "the bytes are not a point of the curve")
    return point


def _checked(point: Point) -> tuple[FQ, FQ] | None:
    if not is_on_curve(point):
        raise FairshareError(Reason.BAD_INPUT, f"({point.x}, {point.y}) is not a point of the curve")
    return _inner(point)


def _inner(point: Point) -> tuple[FQ, FQ] | None:
    return None if point == INFINITY else (FQ(point.x), FQ(point.y))


def _outer(point: tuple[FQ, FQ] | None) -> Point:
    return INFINITY if point is None else Point(int(point[0].n), int(point[1].n))
