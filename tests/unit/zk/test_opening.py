"""Openings without a chain: the pairing that the contract checks, over ezkl's own commitments and SRS."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from py_ecc.optimized_bn128 import FQ, FQ2, G1, G2, Z1, add, multiply, neg, pairing

from marketplace.errors import FairshareError, Reason
from zk import curve, srs
from zk.commit import Committer, commit_column
from zk.curve import INFINITY, Point
from zk.felts import FIELD, ROOT_OF_UNITY, TWO_ADICITY
from zk.files import CircuitFiles
from zk.opening import (
    Opening,
    open_at,
    open_chunk,
    open_value,
    opening_challenge,
    value_at,
    values_at,
)

CIRCUIT = bytes(range(32))
VECTOR = np.array([1, -2, 300, -32768], dtype=np.int16)

int16 = st.integers(-(2**15), 2**15 - 1)
int32 = st.integers(-(2**31), 2**31 - 1)


def _point(point: Point) -> tuple[FQ, FQ, FQ]:
    return Z1 if point == INFINITY else (FQ(point.x), FQ(point.y), FQ(1))


def _value(values: list[int], logrows: int, z: int) -> int:
    """Lagrange's interpolation by its definition: prod_{i != j} (z - w^i) / (w^j - w^i)."""
    roots = [pow(ROOT_OF_UNITY, i << (TWO_ADICITY - logrows), FIELD) for i in range(1 << logrows)]
    total = 0
    for j, value in enumerate(values):
        over = under = 1
        for i, root in enumerate(roots):
            if i != j:
                over, under = over * (z - root) % FIELD, under * (roots[j] - root) % FIELD
        total += value * over * pow(under, -1, FIELD)
    return total % FIELD


def _holds(files: CircuitFiles, commitment: Point, opening: Opening, values: list[int]) -> bool:
    z = opening_challenge(CIRCUIT, commitment, opening.packed)
    return _pairs(files, commitment, z, _value(values, files.logrows, z), opening.proof)


def _pairs(files: CircuitFiles, commitment: Point, z: int, y: int, proved: Point) -> bool:
    """e(C - C_0 - y G1 + z pi, G2) = e(pi, [tau]G2)."""
    proof = _point(proved)
    left = add(_point(curve.subtract(commitment, files.zero)), neg(multiply(G1, y)))
    tau = files.tau
    g2 = (FQ2([tau.x_real, tau.x_imaginary]), FQ2([tau.y_real, tau.y_imaginary]), FQ2.one())
    return bool(pairing(G2, add(left, multiply(proof, z))) == pairing(g2, proof))


@settings(max_examples=4, deadline=None)
@given(
    vector=st.one_of(
        st.lists(int16, min_size=4, max_size=4).map(lambda values: np.array(values, dtype=np.int16)),
        st.lists(int32, min_size=4, max_size=4).map(lambda values: np.array(values, dtype=np.int32)),
    )
)
def test_an_opening_shows_its_vector_and_no_other(files: CircuitFiles, vector: np.ndarray) -> None:
    commitment, opening = Committer(files).commit(vector), open_at(files, vector, circuit=CIRCUIT)
    values = vector.tolist()
    assert np.frombuffer(opening.packed, vector.dtype.newbyteorder("<")).tolist() == values
    assert _holds(files, commitment, opening, values)
    assert not _holds(files, commitment, opening, [values[0] + 1, *values[1:]])
    assert not _holds(files, commitment, Opening(opening.packed, Point(1, 2)), values)
    assert not _holds(files, curve.add(commitment, Point(1, 2)), opening, values)


@pytest.mark.parametrize("length", [1, 5, 121, 122])
@pytest.mark.parametrize("kind", [np.int16, np.int32])
def test_a_chunk_of_any_length_is_opened(files: CircuitFiles, length: int, kind: type) -> None:
    limits = np.iinfo(kind)
    chunk = np.resize(np.array([limits.min, limits.max, 0, -1, 77], dtype=kind), length)
    opening = open_chunk(files, chunk, circuit=CIRCUIT)
    assert opening.packed == chunk.astype(chunk.dtype.newbyteorder("<")).tobytes()
    commitment = commit_column(files, chunk)
    assert _holds(files, commitment, opening, chunk.tolist())
    assert not _holds(files, commitment, opening, [*chunk.tolist()[:-1], 4])


def test_a_chunk_of_the_circuits_length_is_opened_as_a_vector_is(files: CircuitFiles) -> None:
    assert open_chunk(files, VECTOR, circuit=CIRCUIT) == open_at(files, VECTOR, circuit=CIRCUIT)


scalars = st.integers(0, FIELD - 1)


@settings(max_examples=4, deadline=None)
@given(values=st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=10), z=scalars)
def test_a_value_is_proved_at_any_point(files: CircuitFiles, values: list[int], z: int) -> None:
    vector = np.array(values, dtype=np.int64)
    at_z, proof = open_value(files, vector, z)
    assert at_z == _value(values, files.logrows, z) == value_at(vector, files.logrows, z)
    commitment = commit_column(files, vector)
    assert _pairs(files, commitment, z, at_z, proof)
    assert not _pairs(files, commitment, z, at_z + 1, proof)
    assert not any(values) or not _pairs(files, commitment, z + 1, at_z, proof)


@settings(max_examples=20, deadline=None)
@given(z=scalars, logrows=st.integers(2, 5), count=st.integers(1, 3), seed=st.integers(0, 2**32 - 1))
def test_values_of_many_vectors_add_up_and_are_lagranges(z: int, logrows: int, count: int, seed: int) -> None:
    assume(pow(z, 1 << logrows, FIELD) != 1)  # the domain's own points: refused, see below
    random = np.random.default_rng(seed)
    length = int(random.integers(1, (1 << logrows) + 1))
    rows = random.integers(-(2**31), 2**31, (count, length))
    rows[:, 0] = random.choice([-(2**31), 0, 2**31 - 1], count)
    values = values_at(rows, logrows, z)
    assert values == [_value(row, logrows, z) for row in rows.tolist()]
    assert sum(values) % FIELD == value_at(rows.sum(axis=0), logrows, z)


def test_the_domains_points_and_no_points_are_refused(files: CircuitFiles) -> None:
    vector = VECTOR.astype(np.int64)
    omega = pow(ROOT_OF_UNITY, 1 << (TWO_ADICITY - files.logrows), FIELD)
    for z in (1, omega, FIELD - 1, FIELD, FIELD + 5, -1):
        for act in (lambda z=z: open_value(files, vector, z), lambda z=z: value_at(vector, files.logrows, z)):
            with pytest.raises(FairshareError) as refused:
                act()
            assert refused.value.reason is Reason.BAD_INPUT


@pytest.mark.parametrize(
    "vector",
    [
        np.zeros(123, dtype=np.int64),
        np.zeros(0, dtype=np.int64),
        np.zeros(4),
        np.zeros((1, 4), dtype=np.int64),
    ],
)
def test_no_value_is_proved_of_what_no_column_holds(files: CircuitFiles, vector: np.ndarray) -> None:
    with pytest.raises(FairshareError) as refused:
        open_value(files, vector, 5)
    assert refused.value.reason is Reason.BAD_INPUT


def test_zeros_are_opened_by_the_point_at_infinity(files: CircuitFiles) -> None:
    opening = open_at(files, np.zeros(4, dtype=np.int16), circuit=CIRCUIT)
    assert opening == Opening(bytes(8), INFINITY)
    assert _holds(files, files.zero, opening, [0] * 4)


def test_the_challenge_is_the_contracts() -> None:
    packed = bytes(range(100, 108))
    claim = encode(["bytes32", "uint256", "uint256", "bytes32"], [CIRCUIT, 1, 2, keccak(packed)])
    expected = int.from_bytes(keccak(claim), "big") % FIELD
    assert opening_challenge(CIRCUIT, Point(1, 2), packed) == expected


def test_everything_claimed_is_in_the_challenge() -> None:
    made = {
        opening_challenge(CIRCUIT, Point(1, 2), b"ab"),
        opening_challenge(bytes(32), Point(1, 2), b"ab"),
        opening_challenge(CIRCUIT, Point(1, curve.BASE_FIELD - 2), b"ab"),
        opening_challenge(CIRCUIT, Point(1, 2), b"ba"),
    }
    assert len(made) == 4


def test_byte_order_is_little_endian_whatever_the_arrays_is(files: CircuitFiles) -> None:
    swapped = VECTOR.astype(">i2")
    assert open_at(files, swapped, circuit=CIRCUIT) == open_at(files, VECTOR, circuit=CIRCUIT)


@pytest.mark.parametrize(
    "vector",
    [
        VECTOR.astype(np.int64),
        VECTOR.astype(np.int8),
        VECTOR.astype(np.uint16),
        VECTOR.astype(np.float32),
        VECTOR[:3],
        VECTOR.reshape(1, 4),
    ],
)
def test_other_vectors_are_refused(files: CircuitFiles, vector: np.ndarray) -> None:
    with pytest.raises(FairshareError) as refused:
        open_at(files, vector, circuit=CIRCUIT)
    assert refused.value.reason is Reason.BAD_INPUT


@pytest.mark.parametrize(
    "vector", [VECTOR.astype(np.int64), VECTOR.astype(np.uint16), VECTOR[:0], np.zeros(123, np.int16)]
)
def test_other_chunks_are_refused(files: CircuitFiles, vector: np.ndarray) -> None:
    with pytest.raises(FairshareError) as refused:
        open_chunk(files, vector, circuit=CIRCUIT)
    assert refused.value.reason is Reason.BAD_INPUT


def test_the_domain_is_the_generated_verifiers(files: CircuitFiles) -> None:
    (omega,) = re.findall(r"(0x[0-9a-f]{64})\) // omega\n", files.verifier.read_text())
    assert int(omega, 16) == pow(ROOT_OF_UNITY, 1 << (TWO_ADICITY - files.logrows), FIELD)


def test_tau_is_the_generated_verifiers(files: CircuitFiles) -> None:
    """The verifier pairs with -[tau]G2."""
    names = ("x_1", "x_2", "y_1", "y_2")
    source = files.verifier.read_text()
    x_1, x_2, y_1, y_2 = (
        int(number, 16)
        for name in names
        for number in re.findall(rf"(0x[0-9a-f]{{64}})\) // neg_s_g2_{name}\n", source)
    )
    assert files.tau == (x_1, x_2, curve.BASE_FIELD - y_1, curve.BASE_FIELD - y_2)


def test_lagrange_points_are_the_commitments_of_unit_vectors(files: CircuitFiles) -> None:
    for row in range(4):
        unit = np.zeros(4, dtype=np.int16)
        unit[row] = 1
        expected = curve.subtract(Committer(files).commit(unit), files.zero)
        assert srs.lagrange_point(files.srs, files.logrows, row) == expected


def test_c_0_is_the_sum_of_the_last_six_lagrange_points(files: CircuitFiles) -> None:
    total, rows = INFINITY, 1 << files.logrows
    for row in range(rows - 6, rows):
        total = curve.add(total, srs.lagrange_point(files.srs, files.logrows, row))
    assert total == files.zero


def test_an_srs_with_numbers_beyond_the_field_is_refused(files: CircuitFiles, tmp_path: Path) -> None:
    path = tmp_path / "bad.srs"
    path.write_bytes(files.srs.read_bytes()[:-32] + b"\xff" * 32)
    with pytest.raises(FairshareError) as refused:
        srs.tau(path)
    assert refused.value.reason is Reason.INTEGRITY
