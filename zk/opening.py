"""Openings: a short proof that a vector is the one behind a commitment, checked on chain (KzgOpening.sol).

The commitment of v is C_0 plus the KZG commitment of the polynomial p of degree below n = 2^logrows with
p(omega^j) = v_j, zero in the other rows (docs/proof.md). Its value at a challenge z that depends on C and v is proved
by the commitment of the quotient (p(X) - p(z)) / (X - z): Kate, Zaverucha, Goldberg, ASIACRYPT 2010, section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from eth_utils.crypto import keccak
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from zk import curve, felts, srs
from zk.backend import ezkl
from zk.commit import Committer
from zk.curve import Point
from zk.files import CircuitFiles

WIDTHS = (2, 4)  # bytes of a packed integer: an update's, a model's
TWO_ADICITY = 28
ROOT_OF_UNITY = pow(7, (felts.FIELD - 1) >> TWO_ADICITY, felts.FIELD)  # halo2curves' bn256::Fr, of order 2^28

_KEPT_ROWS = 7  # at a column's end: ezkl puts no message there, and ones into the last 6


@dataclass(frozen=True)
class Opening:
    """`packed`: the vector as little-endian integers; `proof`: the quotient's commitment."""

    packed: bytes
    proof: Point


def open_at(files: CircuitFiles, vector: NDArray[np.integer[Any]], *, circuit: bytes) -> Opening:
    """The opening of `vector`'s commitment, for the circuit with this digest on chain.

    An int16 vector (an update) is packed in 2 bytes an integer, an int32 one (a model) in 4; shape (length,).
    Raises FairshareError(BAD_INPUT) for another dtype or shape. Takes a fraction of a second at 2^14 rows.
    """
    if vector.dtype.kind != "i" or vector.dtype.itemsize not in WIDTHS:
        raise FairshareError(Reason.BAD_INPUT, f"int16 and int32 vectors can be opened, not {vector.dtype}")
    commitment = Committer(files).commit(vector)
    packed = vector.astype(vector.dtype.newbyteorder("<")).tobytes()
    z = opening_challenge(circuit, commitment, packed)
    return Opening(packed, _commit_column(files, _quotient(vector.tolist(), files.logrows, z)))


def opening_challenge(circuit: bytes, commitment: Point, packed: bytes) -> int:
    """The point z at which the polynomial is opened: a hash of all that is claimed, as on chain."""
    claim = circuit + curve.to_bytes(commitment) + keccak(packed)
    return int.from_bytes(keccak(claim), "big") % felts.FIELD


def _quotient(values: list[int], logrows: int, z: int) -> list[int]:
    """Values in all 2^logrows rows of (p(X) - p(z)) / (X - z)."""
    rows, field = 1 << logrows, felts.FIELD
    root = pow(ROOT_OF_UNITY, 1 << (TWO_ADICITY - logrows), field)
    powers = [1]
    for _ in range(rows - 1):
        powers.append(powers[-1] * root % field)
    inverses = _inverses([power - z for power in powers])
    # The barycentric formula: p(z) = (z^n - 1) / n * sum_j v_j omega^j / (z - omega^j)
    total = sum(
        v * power % field * inverse for v, power, inverse in zip(values, powers, inverses, strict=False)
    )
    at_z = (1 - pow(z, rows, field)) * pow(rows, -1, field) * total % field
    padded = values + [0] * (rows - len(values))
    return [(value - at_z) * inverse % field for value, inverse in zip(padded, inverses, strict=True)]


def _inverses(numbers: list[int]) -> list[int]:
    """Montgomery's trick: one inversion for all. ValueError where a number is 0."""
    products, product = [], 1
    for number in numbers:
        products.append(product)
        product = product * number % felts.FIELD
    inverse = pow(product, -1, felts.FIELD)
    inverses = [0] * len(numbers)
    for index in range(len(numbers) - 1, -1, -1):
        inverses[index] = inverse * products[index] % felts.FIELD
        inverse = inverse * numbers[index] % felts.FIELD
    return inverses


def _commit_column(files: CircuitFiles, values: list[int]) -> Point:
    """sum_j values_j [L_j(tau)] over all rows: ezkl's commitment of all but the last rows, these by hand, less C_0."""
    head = [felts.encode(value) for value in values[:-_KEPT_ROWS]]
    (point,) = ezkl.kzg_commit(head, str(files.vk), str(files.settings), str(files.srs))
    total = curve.subtract(Point(felts.unsigned(point.x), felts.unsigned(point.y)), files.zero)
    for row in range(len(values) - _KEPT_ROWS, len(values)):
        total = curve.add(
            total, curve.multiply(srs.lagrange_point(files.srs, files.logrows, row), values[row])
        )
    return total
