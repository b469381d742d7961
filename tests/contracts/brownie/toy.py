"""A circuit over an SRS whose secret everybody knows: commitments and openings are real, and cheap to make in Python.

As tests/contracts/forge/support/ToyCircuit.sol; proofs are for a verifier that accepts them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from eth_abi.abi import encode
from eth_utils.crypto import keccak
from py_ecc import optimized_bn128 as curve

from marketplace.chain.types import Address, Circuit, Opening
from marketplace.protocol.field import FIELD_MODULUS as R
from zk.curve import G2, Point

LENGTH, LOGROWS, TAU = 4, 3, 7
ROWS = 1 << LOGROWS
ZERO = 1000  # C_0 as a multiple of the generator
ROOT_OF_UNITY = pow(7, (R - 1) >> LOGROWS, R)
TRAILER = 32  # bytes of a proof after its commitments

Vector = Sequence[int]


@cache
def multiple(factor: int) -> Point:
    """factor * (1, 2)."""
    x, y = curve.normalize(curve.multiply(curve.G1, factor % R))
    return Point(x.n, y.n)


def commitment(vector: Vector) -> Point:
    """C_0 + p(tau) * (1, 2)."""
    return multiple(ZERO + _at(vector, TAU))


def opening(circuit: bytes, vector: Vector, width: int) -> Opening:
    """The opening of the vector's commitment; `width`: bytes of an integer, 2 for an update, 4 for a model."""
    packed = b"".join(value.to_bytes(width, "little", signed=True) for value in vector)
    x, y = commitment(vector)
    claim = encode(["bytes32", "uint256", "uint256", "bytes32"], [circuit, x, y, keccak(packed)])
    z = int.from_bytes(keccak(claim), "big") % R
    rise = _at(vector, TAU) - _at(vector, z)
    return Opening(packed, multiple(rise * pow(TAU - z, -1, R)))


def circuit(verifier: Address, inputs: int) -> Circuit:
    """The circuit for so many vectors."""
    x, y = curve.normalize(curve.multiply(curve.G2, TAU))
    tau = G2(x.coeffs[1], x.coeffs[0], y.coeffs[1], y.coeffs[0])
    zero = commitment([0] * LENGTH)
    return Circuit(verifier, inputs, LOGROWS, LENGTH, 64 * inputs + TRAILER, zero, tau)


def _at(vector: Vector, z: int) -> int:
    """The polynomial that is vector_j at omega^j, at z: the barycentric formula."""
    total, power = 0, 1
    for value in vector:
        total += value * power * pow(z - power, -1, R)
        power = power * ROOT_OF_UNITY % R
    return (pow(z, ROWS, R) - 1) * pow(ROWS, -1, R) * total % R
