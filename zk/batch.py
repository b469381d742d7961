"""Many points of G1 at once: affine sums that share one inversion, and what is made of them.

Plain Python: a sum costs some microseconds. Points are affine pairs below the field's size, or None at infinity.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from zk.curve import BASE_FIELD, INFINITY, Point
from zk.felts import FIELD

Affine = tuple[int, int] | None
_Item = TypeVar("_Item")

_SCALAR_BITS = 254
_DIGIT_BITS = 4  # of a scalar that `scaled` takes in at a time
_MAX_WINDOW = 11
_FEW = 100  # points, up to which tables are faster than buckets


def affine(point: Point) -> Affine:
    """A point as the sums here take it."""
    return None if point == INFINITY else (point.x, point.y)


def point(of: Affine) -> Point:
    """The inverse of `affine`."""
    return INFINITY if of is None else Point(*of)


def inverses(numbers: Sequence[int], field: int) -> list[int]:
    """Montgomery's trick: one inversion for all. ValueError where a number is 0."""
    products, product = [], 1
    for number in numbers:
        products.append(product)
        product = product * number % field
    inverse = pow(product, -1, field)
    result = [0] * len(numbers)
    for index in range(len(numbers) - 1, -1, -1):
        result[index] = inverse * products[index] % field
        inverse = inverse * numbers[index] % field
    return result


def sums(left: Sequence[Affine], right: Sequence[Affine]) -> list[Affine]:
    """The sum of each pair; the points must be on the curve."""
    divisors = []
    for a, b in zip(left, right, strict=True):
        if a is None or b is None or (a[0] == b[0] and a[1] != b[1]):
            divisors.append(1)
        else:
            divisors.append(2 * a[1] if a[0] == b[0] else b[0] - a[0])
    result: list[Affine] = []
    for a, b, inverse in zip(left, right, inverses(divisors, BASE_FIELD), strict=True):
        if a is None or b is None:
            result.append(a or b)
        elif a[0] == b[0] and a[1] != b[1]:
            result.append(None)
        else:
            slope = (3 * a[0] * a[0] if a[0] == b[0] else b[1] - a[1]) * inverse % BASE_FIELD
            x = (slope * slope - a[0] - b[0]) % BASE_FIELD
            result.append((x, (slope * (a[0] - x) - a[1]) % BASE_FIELD))
    return result


def combination(points: Sequence[Affine], scalars: Sequence[int], bits: int) -> Affine:
    """sum_i scalars_i points_i for scalars below 2^bits: a few by tables (Straus), many by buckets (Pippenger)."""
    if len(points) <= _FEW:
        table = _multiples(points)
        mask = (1 << _DIGIT_BITS) - 1
        rows = [
            [table[scalar >> shift & mask][index] for index, scalar in enumerate(scalars)]
            for shift in range(0, bits, _DIGIT_BITS)
        ]
        return _weighted(_totals(rows), _DIGIT_BITS)
    window = max(2, min(_MAX_WINDOW, len(points).bit_length() - 3))
    mask = (1 << window) - 1
    rows = [_buckets(points, scalars, shift, mask) for shift in range(0, bits, window)]
    # All windows side by side: sum_d d B_d as the sum of the sums from the highest digit down.
    running: list[Affine] = [None] * len(rows)
    totals: list[Affine] = [None] * len(rows)
    for digit in range(mask, 0, -1):
        running = sums(running, [row[digit] for row in rows])
        totals = sums(totals, running)
    return _weighted(totals, window)


def scaled(points: Sequence[Affine], scalars: Sequence[int]) -> list[Affine]:
    """Each point times its own scalar, side by side."""
    multiples = _multiples(points)
    mask = (1 << _DIGIT_BITS) - 1
    result: list[Affine] = [None] * len(points)
    for shift in range(_SCALAR_BITS - _SCALAR_BITS % _DIGIT_BITS, -1, -_DIGIT_BITS):
        for _ in range(_DIGIT_BITS):
            result = sums(result, result)
        digits = [scalar >> shift & mask for scalar in scalars]
        result = sums(result, [multiples[digit][index] for index, digit in enumerate(digits)])
    return result


def interpolated(values: Sequence[int], root: int) -> list[int]:
    """Coefficients of the polynomial with these values at 1, root, root^2, ..: an inverse FFT over the scalars.

    The number of values is a power of two, and `root` of that order.
    """
    column, inverse_root = _bit_reversed(list(values)), pow(root, -1, FIELD)
    size = len(column)
    half = 1
    while half < size:
        twiddles = _powers(pow(inverse_root, size // (2 * half), FIELD), half)
        for start in range(0, size, 2 * half):
            for offset, twiddle in enumerate(twiddles):
                at = start + offset
                low, high = column[at], column[at + half] * twiddle % FIELD
                column[at], column[at + half] = (low + high) % FIELD, (low - high) % FIELD
        half *= 2
    factor = pow(size, -1, FIELD)
    return [value * factor % FIELD for value in column]


def lagrange_points(powers: Sequence[Affine], root: int) -> list[Affine]:
    """[L_j(tau)] from the powers [tau^i], by an inverse FFT in the exponent: minutes from 2^13 on."""
    column, inverse_root = _bit_reversed(list(powers)), pow(root, -1, FIELD)
    size = len(column)
    half = 1
    while half < size:
        twiddles = _powers(pow(inverse_root, size // (2 * half), FIELD), half)
        lows = [start + offset for start in range(0, size, 2 * half) for offset in range(half)]
        factors = twiddles * (size // (2 * half))
        highs = [column[at + half] for at in lows]
        if half > 1:  # the first twiddle is 1
            highs = scaled(highs, factors)
        low_points = [column[at] for at in lows]
        added, taken = sums(low_points, highs), sums(low_points, [negated(point) for point in highs])
        for at, plus, minus in zip(lows, added, taken, strict=True):
            column[at], column[at + half] = plus, minus
        half *= 2
    return scaled(column, [pow(size, -1, FIELD)] * size)


def _buckets(points: Sequence[Affine], scalars: Sequence[int], shift: int, mask: int) -> list[Affine]:
    """The sum of the points of each digit, by halving all lists at once."""
    lists: list[list[Affine]] = [[] for _ in range(mask + 1)]
    for point, scalar in zip(points, scalars, strict=True):
        lists[scalar >> shift & mask].append(point)
    lists[0] = []
    return _totals(lists)


def _totals(lists: list[list[Affine]]) -> list[Affine]:
    """The sum of each list."""
    while any(len(entries) > 1 for entries in lists):
        left = [point for entries in lists for point in entries[0 : len(entries) // 2 * 2 : 2]]
        right = [point for entries in lists for point in entries[1::2]]
        summed = iter(sums(left, right))
        lists = [
            [next(summed) for _ in range(len(entries) // 2)] + entries[len(entries) // 2 * 2 :]
            for entries in lists
        ]
    return [entries[0] if entries else None for entries in lists]


def _multiples(points: Sequence[Affine]) -> list[list[Affine]]:
    """0, 1, .. times each point, as many as a digit has values."""
    multiples: list[list[Affine]] = [[None] * len(points), list(points)]
    while len(multiples) < 1 << _DIGIT_BITS:
        multiples.append(sums(multiples[-1], points))
    return multiples


def _weighted(totals: Sequence[Affine], window: int) -> Affine:
    """sum_i 2^(window i) totals_i."""
    result: Affine = None
    for total in reversed(totals):
        for _ in range(window):
            (result,) = sums([result], [result])
        (result,) = sums([result], [total])
    return result


def negated(point: Affine) -> Affine:
    """-point."""
    return None if point is None else (point[0], BASE_FIELD - point[1])


def _powers(base: int, count: int) -> list[int]:
    powers = [1]
    while len(powers) < count:
        powers.append(powers[-1] * base % FIELD)
    return powers


def _bit_reversed(column: list[_Item]) -> list[_Item]:
    bits = len(column).bit_length() - 1
    return [column[int(f"{index:0{bits}b}"[::-1], 2) if bits else 0] for index in range(len(column))]
