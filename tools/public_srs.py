"""An SRS whose secret everybody knows, the same bytes on every machine: for the development deployment alone.

ezkl makes test SRSs from the machine's randomness, so the digest of a circuit that rests on one is another on each
machine. With this one anybody can make false proofs, as whoever made a test SRS can; it is a test SRS in all else.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from py_ecc.bn128.bn128_curve import G2 as _G2
from py_ecc.bn128.bn128_curve import multiply as _multiply

from zk import curve, felts
from zk.felts import ROOT_OF_UNITY, TWO_ADICITY

SECRET = int.from_bytes(sha256(b"Fairshare: this SRS's secret is public").digest(), "big") % felts.FIELD

_Point = tuple[int, int] | None  # None: at infinity
_GENERATOR = curve.Point(1, 2)
_WINDOW = 8  # bits of a scalar that one addition takes in
_WINDOWS = 32


def write(path: Path, logrows: int) -> None:
    """Writes the SRS for 2^logrows rows in ezkl's format (`zk.srs.size`); takes 5 s at 2^14, doubling with each."""
    rows, field = 1 << logrows, felts.FIELD
    root = pow(ROOT_OF_UNITY, 1 << (TWO_ADICITY - logrows), field)
    powers, roots = [1], [1]
    for _ in range(rows - 1):
        powers.append(powers[-1] * SECRET % field)
        roots.append(roots[-1] * root % field)
    # L_j(tau) = omega^j (tau^n - 1) / (n (tau - omega^j))
    factor = (pow(SECRET, rows, field) - 1) * pow(rows, -1, field) % field
    inverses = _inverses([SECRET - power for power in roots], field)
    lagrange = [power * factor * inverse % field for power, inverse in zip(roots, inverses, strict=True)]
    content = bytearray(logrows.to_bytes(4, "little"))
    for point in _multiples(powers + lagrange):
        if point is None:
            raise ValueError("the secret is a root of unity")
        content += _encoded(*point)
    for twisted in (_G2, _multiply(_G2, SECRET)):
        assert twisted is not None  # SECRET is not 0
        content += _encoded(*(int(part) for coordinate in twisted for part in coordinate.coeffs))
    path.write_bytes(content)


def _encoded(*coordinates: int) -> bytes:
    """Little-endian, times 2^256: halo2curves' raw bytes."""
    return b"".join(((number << 256) % curve.BASE_FIELD).to_bytes(32, "little") for number in coordinates)


def _multiples(scalars: list[int]) -> list[_Point]:
    """Each scalar times the generator, side by side: one inversion for a whole window of all of them."""
    base: list[_Point] = [curve.multiply(_GENERATOR, 1 << (_WINDOW * i)) for i in range(_WINDOWS)]
    table: list[list[_Point]] = [[None] * _WINDOWS, base]  # by digit, then by window
    while len(table) < 1 << _WINDOW:
        table.append(_sums(table[-1], base))
    totals: list[_Point] = [None] * len(scalars)
    for window in range(_WINDOWS):
        digits = [scalar >> (_WINDOW * window) & ((1 << _WINDOW) - 1) for scalar in scalars]
        totals = _sums(totals, [table[digit][window] for digit in digits])
    return totals


def _sums(left: list[_Point], right: list[_Point]) -> list[_Point]:
    """Affine sums of pairs; no pair may be a point and its opposite (ValueError)."""
    field = curve.BASE_FIELD
    divisors = [
        1 if a is None or b is None else 2 * a[1] if a == b else b[0] - a[0]
        for a, b in zip(left, right, strict=True)
    ]
    sums: list[_Point] = []
    for a, b, inverse in zip(left, right, _inverses(divisors, field), strict=True):
        if a is None or b is None:
            sums.append(a or b)
            continue
        slope = (3 * a[0] * a[0] if a == b else b[1] - a[1]) * inverse % field
        x = (slope * slope - a[0] - b[0]) % field
        sums.append((x, (slope * (a[0] - x) - a[1]) % field))
    return sums


def _inverses(numbers: list[int], field: int) -> list[int]:
    """Montgomery's trick. ValueError where a number is 0."""
    products, product = [], 1
    for number in numbers:
        products.append(product)
        product = product * number % field
    inverse = pow(product, -1, field)
    inverses = [0] * len(numbers)
    for index in range(len(numbers) - 1, -1, -1):
        inverses[index] = inverse * products[index] % field
        inverse = inverse * numbers[index] % field
    return inverses
