"""Is an SRS what it says: the powers of one secret tau, in both bases, and the [tau]G2 that belongs to them.

It shows that there is such a tau, not who knows it: only a ceremony's hash says that (`zk.srs`).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from py_ecc.fields import optimized_bn128_FQ as FQ
from py_ecc.fields import optimized_bn128_FQ2 as FQ2
from py_ecc.fields import optimized_bn128_FQ12 as FQ12
from py_ecc.optimized_bn128.optimized_curve import b2 as _B2
from py_ecc.optimized_bn128.optimized_curve import is_inf as _is_infinity
from py_ecc.optimized_bn128.optimized_curve import is_on_curve as _is_on_twist
from py_ecc.optimized_bn128.optimized_curve import multiply as _multiply
from py_ecc.optimized_bn128.optimized_pairing import final_exponentiate as _final_exponentiate
from py_ecc.optimized_bn128.optimized_pairing import pairing as _pairing

from marketplace.errors import FairshareError, Reason
from zk import batch, curve, srs
from zk.batch import Affine
from zk.curve import BASE_FIELD, G2, Point
from zk.felts import FIELD, ROOT_OF_UNITY, TWO_ADICITY

Progress = Callable[[str], None]

GENERATOR = (1, 2)
GENERATOR_2 = G2(
    0x198E9393920D483A7260BFB731FB5D25F1AA493335A9E71297E485B7AEF312C2,
    0x1800DEEF121F1E76426A00665E5C4479674322D4F75EDADD46DEBD5CD992F6ED,
    0x090689D0585FF075EC9E99AD690C3395BC4B313370B38EF355ACDADCD122975B,
    0x12C85EA5DB8C6DEB4AAB71808DCB408FE3D1E7690C43D37B4CE6CC0166FA7DAA,
)

_RANDOM_BITS = 128  # of a secret coefficient: a false SRS passes with a chance of 2^-128
_SCALAR_BITS = 254


def check_srs(path: Path, logrows: int, on_progress: Progress | None = None) -> None:
    """Checks every point of an SRS in ezkl's format; 8 s at 2^14 rows, doubling with each.

    Raises FairshareError(INTEGRITY) unless, for one tau, those of G1 are the powers 1, tau, .., tau^(n-1) and their
    Lagrange basis, all on the curve, and the last one is [tau]G2 in the subgroup.
    """
    say = on_progress or (lambda step: None)
    say("points")
    powers, lagrange = (_on_curve(points) for points in srs.points(path, logrows))
    generator_2, tau_2 = srs.twisted(path)
    _require(powers[0] == GENERATOR and generator_2 == GENERATOR_2, "it does not begin with the generators")
    _require(_is_in_subgroup(tau_2), "its [tau]G2 is no point of the group")
    say("powers")
    chosen = _random(len(powers) - 1)
    lower = batch.combination(powers[:-1], chosen, _RANDOM_BITS)
    upper = batch.combination(powers[1:], chosen, _RANDOM_BITS)
    ratio = _paired(upper, GENERATOR_2) * _paired(batch.negated(lower), tau_2)
    same = _final_exponentiate(ratio) == FQ12.one()
    _require(same, "its points are not the powers of the tau in its [tau]G2")
    say("lagrange")
    values = _random(len(lagrange))
    coefficients = batch.interpolated(values, root_of_unity(logrows))
    by_values = batch.combination(lagrange, values, _RANDOM_BITS)
    by_powers = batch.combination(powers, coefficients, _SCALAR_BITS)
    _require(by_values == by_powers, "its Lagrange points are not those of its powers")


def opens_to(commitment: Point, zero: Point, z: int, value: int, proof: Point, tau: G2) -> bool:
    """Whether the polynomial behind `commitment` has this value at z: the twin of KzgOpening.holds.

    e(C - C_0 - value G1 + z proof, G2) = e(proof, [tau]G2). False for points off the curve.
    """
    if not (curve.is_on_curve(commitment) and curve.is_on_curve(proof)):
        return False
    claimed = curve.multiply(Point(*GENERATOR), value % FIELD)
    left = curve.subtract(curve.subtract(commitment, zero), claimed)
    left = curve.add(left, curve.multiply(proof, z))
    if curve.INFINITY in (left, proof):
        return left == proof
    ratio = _paired(left, GENERATOR_2) * _paired(batch.negated(proof), tau)
    return bool(_final_exponentiate(ratio) == FQ12.one())


def root_of_unity(logrows: int) -> int:
    """halo2's, of order 2^logrows."""
    return pow(ROOT_OF_UNITY, 1 << (TWO_ADICITY - logrows), FIELD)


def _on_curve(points: list[Affine]) -> list[Affine]:
    for index, point in enumerate(points):
        assert point is not None  # as they are read
        x, y = point
        on_curve = x < BASE_FIELD and y < BASE_FIELD and (y * y - x * x * x - 3) % BASE_FIELD == 0
        _require(on_curve, f"its point {index} is not on the curve")
    return points


def _is_in_subgroup(point: G2) -> bool:
    """The curve of G2 has more points than the group: the order must annihilate it."""
    if not any(point) or any(coordinate >= BASE_FIELD for coordinate in point):
        return False
    projective = _twisted(point)
    return bool(_is_on_twist(projective, _B2)) and bool(_is_infinity(_multiply(projective, FIELD)))


def _paired(point: Affine, twisted: G2) -> FQ12:
    """The pairing before its last exponentiation, which a product needs once."""
    _require(point is not None, "its points cancel")
    assert point is not None
    return _pairing(_twisted(twisted), (FQ(point[0]), FQ(point[1]), FQ(1)), final_exponentiate=False)


def _twisted(point: G2) -> tuple[FQ2, FQ2, FQ2]:
    x, y = FQ2([point.x_real, point.x_imaginary]), FQ2([point.y_real, point.y_imaginary])
    return x, y, FQ2.one()


def _random(count: int) -> list[int]:
    return [secrets.randbits(_RANDOM_BITS) for _ in range(count)]


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise _unsound(problem)


def _unsound(problem: str) -> FairshareError:
    return FairshareError(
        Reason.INTEGRITY, f"this is no sound SRS: {problem}", "take the ceremony's file from another source"
    )
