"""GramVerifier.open over ezkl's own commitments: Python's openings pass, and nothing else does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from marketplace.chain.reverts import Revert
from tests.contracts.real_proofs.statements import (
    LENGTH,
    LONG,
    MODEL,
    Claim,
    Statement,
    Vector,
    Verifier,
    claim_of,
    random_updates,
)
from zk.curve import BASE_FIELD, Point, add, from_bytes
from zk.opening import open_at

REFUSED = Revert("OpeningRejected", {})


@pytest.fixture(scope="module")
def update(chain: Verifier) -> Claim:
    return claim_of(chain.long, _random(np.int16, 1))


@pytest.fixture(scope="module")
def model(chain: Verifier) -> Claim:
    return claim_of(chain.long, _random(np.int32, 2))


def _random(kind: type[np.integer], seed: int) -> Vector:
    limits = np.iinfo(kind)
    return np.random.default_rng(seed).integers(limits.min, limits.max, LONG, dtype=kind, endpoint=True)


def _ends(kind: type[np.integer], first: int, last: int) -> Vector:
    vector = np.zeros(LONG, kind)
    vector[0], vector[-1] = first, last
    return vector


@pytest.mark.parametrize(
    "vector",
    [
        _random(np.int16, 3),
        _random(np.int32, 4),
        np.zeros(LONG, np.int16),
        np.zeros(LONG, np.int32),
        np.full(LONG, -32768, np.int16),
        np.full(LONG, 32767, np.int16),
        np.full(LONG, -(2**31), np.int32),
        np.full(LONG, 2**31 - 1, np.int32),
        _ends(np.int16, -32768, 0),
        _ends(np.int16, 0, -1),
        _ends(np.int32, 2**31 - 1, -(2**31)),
        np.full(LONG, -1, np.int16),
    ],
    ids=lambda vector: f"{vector.dtype} {vector[0]}..{vector[-1]}",
)
def test_true_openings_give_the_norm(chain: Verifier, vector: Vector) -> None:
    assert chain.open(claim_of(chain.long, vector)) == sum(entry**2 for entry in vector.tolist())


@pytest.mark.parametrize("seed", range(4))
def test_vectors_of_less_than_a_word(chain: Verifier, seed: int) -> None:
    """Eight integers: half a word as int16, one word as int32."""
    random = np.random.default_rng(seed)
    for kind in (np.int16, np.int32):
        vector = random.integers(np.iinfo(kind).min, np.iinfo(kind).max, LENGTH, dtype=kind, endpoint=True)
        assert chain.open(claim_of(chain.circuit, vector)) == sum(entry**2 for entry in vector.tolist())


def test_an_update_in_four_bytes_an_integer_is_the_same_vector(chain: Verifier) -> None:
    vector = _random(np.int16, 5)
    claims = [claim_of(chain.long, vector.astype(kind)) for kind in (np.int16, np.int32)]
    assert claims[0].commitment == claims[1].commitment
    assert chain.open(claims[0]) == chain.open(claims[1])


def test_the_commitments_that_a_proof_carries_are_opened(chain: Verifier, proved: Statement) -> None:
    for slot, row in enumerate(random_updates(1, absent=(3,))):
        row = np.zeros(LENGTH, np.int16) if row is None else row
        opening = open_at(chain.files, row, circuit=proved.circuit)
        point = from_bytes(proved.proof[64 * slot : 64 * slot + 64])
        assert chain.open(Claim(proved.circuit, point, 2, opening.packed, opening.proof)) == sum(
            entry**2 for entry in row.tolist()
        )


def test_a_moved_models_commitment_is_opened(chain: Verifier, proved: Statement) -> None:
    rows = random_updates(1, absent=(3,))
    weights = (MODEL + rows[0] + rows[2]).astype(np.int32)
    moved = chain.ask(proved)
    assert not isinstance(moved, Revert)
    opening = open_at(chain.files, weights, circuit=proved.circuit)
    claim = Claim(proved.circuit, moved, 4, opening.packed, opening.proof)
    assert chain.open(claim) == sum(entry**2 for entry in weights.tolist())
    assert chain.open(replace(claim, commitment=proved.model)) == REFUSED


def _assert_altered_byte_refused(chain: Verifier, claim: Claim, place: int, flip: int) -> None:
    packed = bytearray(claim.packed)
    packed[place] ^= flip
    assert chain.open(replace(claim, packed=bytes(packed))) == REFUSED, f"byte {place} with {flip:#x}"


@pytest.mark.parametrize("name", ["update", "model"])
def test_altered_bytes_are_refused(chain: Verifier, name: str, request: pytest.FixtureRequest) -> None:
    claim: Claim = request.getfixturevalue(name)
    random = np.random.default_rng(0)
    places = {0, 1, 31, 32, len(claim.packed) - 1} | set(random.integers(len(claim.packed), size=15).tolist())
    for place in sorted(places):
        _assert_altered_byte_refused(chain, claim, place, 1 << int(random.integers(8)))


@pytest.mark.deep
@pytest.mark.parametrize("name", ["update", "model"])
def test_every_altered_byte_is_refused(chain: Verifier, name: str, request: pytest.FixtureRequest) -> None:
    claim: Claim = request.getfixturevalue(name)
    random = np.random.default_rng(1)
    for place in range(len(claim.packed)):
        _assert_altered_byte_refused(chain, claim, place, int(random.integers(1, 256)))


def test_swapped_integers_are_refused(chain: Verifier, update: Claim) -> None:
    packed = update.packed[2:4] + update.packed[:2] + update.packed[4:]
    assert chain.open(replace(update, packed=packed)) == REFUSED


def test_other_commitments_are_refused(chain: Verifier, update: Claim, model: Claim) -> None:
    x, y = update.commitment
    for other in (
        model.commitment,
        chain.long.files.zero,
        Point(x, BASE_FIELD - y),
        add(update.commitment, Point(1, 2)),
        Point(0, 0),
    ):
        assert chain.open(replace(update, commitment=other)) == REFUSED
    for none in (Point(x, y + 1), Point(x + BASE_FIELD, y), Point(y, x), Point(0, 1)):
        answer = chain.open(replace(update, commitment=none))
        assert isinstance(answer, Revert)
        assert answer.name == "CurveOperationFailed"


def test_other_proofs_are_refused(chain: Verifier, update: Claim, model: Claim) -> None:
    x, y = update.proof
    for other in (
        model.proof,
        update.commitment,
        Point(x, BASE_FIELD - y),
        add(update.proof, Point(1, 2)),
        Point(0, 0),
    ):
        assert chain.open(replace(update, proof=other)) == REFUSED
    for none in (Point(x, y + 1), Point(x + BASE_FIELD, y), Point(y, x)):
        answer = chain.open(replace(update, proof=none))
        assert isinstance(answer, Revert)
        assert answer.name == "CurveOperationFailed"


def test_other_lengths_are_refused(chain: Verifier, update: Claim, model: Claim) -> None:
    for claim in (update, model):
        for packed in (
            b"",
            claim.packed[:-1],
            claim.packed[: -claim.width],
            claim.packed + bytes(claim.width),
        ):
            answer = chain.open(replace(claim, packed=packed))
            assert answer == Revert(
                "WrongInputLength", {"given": len(packed), "expected": LONG * claim.width}
            )


def test_other_widths_are_refused(chain: Verifier, update: Claim) -> None:
    answer = chain.open(replace(update, width=4))
    assert answer == Revert("WrongInputLength", {"given": LONG * 2, "expected": LONG * 4})
    for width in (0, 1, 3, 8, 2**256 - 2):
        assert chain.open(replace(update, width=width)) == Revert("InvalidWidth", {"width": width})


def test_other_circuits_are_refused(chain: Verifier) -> None:
    """The same C_0, tau and rows, and another digest: the challenge is another one."""
    claim = claim_of(chain.circuit, np.arange(LENGTH, dtype=np.int16))
    answer = chain.open(replace(claim, circuit=chain.other.digest))
    assert answer == Revert("WrongInputLength", {"given": LENGTH * 2, "expected": LENGTH * 2 - 4})
    shorter = replace(claim, circuit=chain.other.digest, packed=claim.packed[:-4])
    assert chain.open(shorter) == REFUSED
    unknown = bytes(32)
    assert chain.open(replace(claim, circuit=unknown)) == Revert("UnknownCircuit", {"digest": unknown})


def test_a_vector_with_more_rows_is_not_opened_by_its_beginning(chain: Verifier) -> None:
    """Committed with the longer circuit, whose SRS is the same: the rows behind the vector have to be zero."""
    longer = np.arange(1, LENGTH + 1, dtype=np.int16)
    beginning = claim_of(chain.other, longer[:-2])
    assert isinstance(chain.open(beginning), int)
    whole = claim_of(chain.circuit, longer)
    assert chain.open(replace(beginning, commitment=whole.commitment)) == REFUSED
    assert chain.open(replace(beginning, commitment=whole.commitment, proof=whole.proof)) == REFUSED
