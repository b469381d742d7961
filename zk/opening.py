"""Openings: a short proof that a vector is the one behind a commitment, checked on chain (KzgOpening.sol).

The commitment of v is C_0 plus the KZG commitment of the polynomial p of degree below n = 2^logrows with
p(omega^j) = v_j, zero in the other rows (docs/proof.md). Its value at a challenge z that depends on C and v is proved
by the commitment of the quotient (p(X) - p(z)) / (X - z): Kate, Zaverucha, Goldberg, ASIACRYPT 2010, section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import mul
from typing import Any

import numpy as np
from eth_utils.crypto import keccak
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from zk import batch, curve, felts, srs
from zk.commit import Committer, commit_column, commit_scalars, rows_of
from zk.curve import Point
from zk.files import CircuitFiles
from zk.shape import BLINDING_ROWS

WIDTHS = (2, 4)  # bytes of a packed integer: an update's, a model's


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
    _check_packable(vector)
    return _opening(files, vector, Committer(files).commit(vector), circuit)


def open_chunk(files: CircuitFiles, vector: NDArray[np.signedinteger[Any]], *, circuit: bytes) -> Opening:
    """`open_at` for a chunk of any length up to a column's, shape (n,): docs/sketch.md."""
    _check_packable(vector)
    return _opening(files, vector, commit_column(files, vector), circuit)


def open_value(files: CircuitFiles, vector: NDArray[np.int64], z: int) -> tuple[int, Point]:
    """p(z) mod r for the polynomial of a commitment to `vector`, shape (m,), and the proof of it.

    Raises FairshareError(BAD_INPUT) for a vector that no column holds, or where z is one of the domain's points.
    """
    if vector.ndim != 1 or not 0 < vector.size <= rows_of(files) or vector.dtype.kind != "i":
        raise FairshareError(Reason.BAD_INPUT, f"no column holds {vector.dtype} of shape {vector.shape}")
    _check_outside(files.logrows, z)
    at_z, quotient = _quotient(vector.tolist(), files.logrows, z)
    return at_z, _commit_all_rows(files, quotient)


def value_at(vector: NDArray[np.signedinteger[Any]], logrows: int, z: int) -> int:
    """p(z) mod r for p with p(omega^j) = vector_j in 2^logrows rows; shape (m,). BAD_INPUT as `open_value`."""
    return values_at(vector[np.newaxis], logrows, z)[0]


def values_at(vectors: NDArray[np.signedinteger[Any]], logrows: int, z: int) -> list[int]:
    """`value_at` of each row of `vectors`, shape (count, m), m <= 2^logrows: they share what z and m decide."""
    rows, field = 1 << logrows, felts.FIELD
    if vectors.ndim != 2 or vectors.shape[1] > rows or vectors.dtype.kind != "i":
        raise FairshareError(
            Reason.BAD_INPUT, f"no rows of 2^{logrows} integers: {vectors.dtype}, {vectors.shape}"
        )
    _check_outside(logrows, z)
    powers = _powers(logrows, vectors.shape[1])
    inverses = batch.inverses([power - z for power in powers], field)
    factor = _factor(logrows, z)
    weights = [
        power * inverse % field * factor % field for power, inverse in zip(powers, inverses, strict=True)
    ]
    return [sum(map(mul, vector.tolist(), weights)) % field for vector in vectors]


def opening_challenge(circuit: bytes, commitment: Point, packed: bytes) -> int:
    """The point z at which the polynomial is opened: a hash of all that is claimed, as on chain."""
    claim = circuit + curve.to_bytes(commitment) + keccak(packed)
    return int.from_bytes(keccak(claim), "big") % felts.FIELD


def _check_packable(vector: NDArray[np.integer[Any]]) -> None:
    if vector.dtype.kind != "i" or vector.dtype.itemsize not in WIDTHS:
        raise FairshareError(Reason.BAD_INPUT, f"int16 and int32 vectors can be opened, not {vector.dtype}")


def _check_outside(logrows: int, z: int) -> None:
    if not 0 <= z < felts.FIELD or pow(z, 1 << logrows, felts.FIELD) == 1:
        raise FairshareError(Reason.BAD_INPUT, f"{z} is no point to open 2^{logrows} rows at")


def _opening(
    files: CircuitFiles, vector: NDArray[np.integer[Any]], commitment: Point, circuit: bytes
) -> Opening:
    packed = vector.astype(vector.dtype.newbyteorder("<")).tobytes()
    z = opening_challenge(circuit, commitment, packed)
    _, quotient = _quotient(vector.tolist(), files.logrows, z)
    return Opening(packed, _commit_all_rows(files, quotient))


def _powers(logrows: int, count: int) -> list[int]:
    """1, omega, omega^2, ..: the first `count` points of the domain."""
    root = pow(felts.ROOT_OF_UNITY, 1 << (felts.TWO_ADICITY - logrows), felts.FIELD)
    powers = [1]
    for _ in range(count - 1):
        powers.append(powers[-1] * root % felts.FIELD)
    return powers


def _factor(logrows: int, z: int) -> int:
    """The barycentric formula is p(z) = (1 - z^n) / n * sum_j v_j omega^j / (omega^j - z): what is before the sum."""
    rows = 1 << logrows
    return (1 - pow(z, rows, felts.FIELD)) * pow(rows, -1, felts.FIELD) % felts.FIELD


def _quotient(values: list[int], logrows: int, z: int) -> tuple[int, list[int]]:
    """p(z), and the values in all 2^logrows rows of (p(X) - p(z)) / (X - z)."""
    rows, field = 1 << logrows, felts.FIELD
    powers = _powers(logrows, rows)
    inverses = batch.inverses([power - z for power in powers], field)
    total = sum(
        v * power % field * inverse for v, power, inverse in zip(values, powers, inverses, strict=False)
    )
    at_z = _factor(logrows, z) * total % field
    padded = values + [0] * (rows - len(values))
    return at_z, [(value - at_z) * inverse % field for value, inverse in zip(padded, inverses, strict=True)]


def _commit_all_rows(files: CircuitFiles, values: list[int]) -> Point:
    """sum_j values_j [L_j(tau)] over all rows: ezkl's commitment of all but the last rows, these by hand, less C_0."""
    head = [felts.encode(value) for value in values[:-BLINDING_ROWS]]
    total = curve.subtract(commit_scalars(files, head), files.zero)
    for row in range(len(head), len(values)):
        total = curve.add(
            total, curve.multiply(srs.lagrange_point(files.srs, files.logrows, row), values[row])
        )
    return total
