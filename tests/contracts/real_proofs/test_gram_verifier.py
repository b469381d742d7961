"""GramVerifier with ezkl's own verifier behind it: true statements pass, and no altered one does."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import numpy as np
import pytest

from marketplace.chain.circuits import circuit_of
from marketplace.chain.reverts import Revert
from marketplace.devnet.anvil import public_account
from marketplace.protocol.field import FIELD_MODULUS, from_felt
from marketplace.protocol.gram import gram
from marketplace.protocol.krum import members
from tests.contracts.real_proofs.statements import (
    LENGTH,
    MODEL,
    PREFIX,
    SLOTS,
    Statement,
    Update,
    Verifier,
    random_updates,
)
from zk.commit import Committer
from zk.curve import BASE_FIELD, Point, from_bytes, moved, to_bytes

WORD = 32


def opposites() -> list[Update | None]:
    return [np.full(LENGTH, 32767 * (-1) ** slot, np.int16) for slot in range(SLOTS)]


@pytest.mark.parametrize(
    "rows",
    [
        random_updates(1, absent=(3,)),
        random_updates(2),
        opposites(),
        [np.zeros(LENGTH, np.int16)] * SLOTS,
        [np.arange(LENGTH, dtype=np.int16)] * SLOTS,
        [None] * SLOTS,
    ],
    ids=["one absent", "random", "opposites", "zeros", "all equal", "all absent"],
)
def test_true_statements_move_the_model(chain: Verifier, rows: list[Update | None]) -> None:
    statement, points = chain.prove(rows, merged=0)
    assert tuple(map(from_felt, statement.gram)) == gram(rows).triangle
    zero, committer = chain.files.zero, Committer(chain.files)
    assert chain.ask(statement) == chain.move(_without_proof(statement)) == statement.model
    for merged in [1 << slot for slot in range(SLOTS)] + [0b101, 0b11111]:
        slots = members(merged)
        answer = chain.ask(replace(statement, merged=merged))
        assert chain.move(_without_proof(replace(statement, merged=merged))) == answer
        taken = [row for row in (rows[slot] for slot in slots) if row is not None]
        if len(taken) < len(slots):
            assert answer == Revert("InvalidMerged", {"merged": merged})
            continue
        assert answer == moved(statement.model, [points[slot] for slot in slots], zero)
        assert answer == committer.commit(MODEL + np.sum(taken, axis=0, dtype=np.int64))


def test_the_commitments_are_the_proofs_first_bytes(chain: Verifier) -> None:
    statement, points = chain.prove(random_updates(4), merged=0)
    assert statement.proof[:PREFIX] == b"".join(map(to_bytes, points))


def _assert_altered_byte_refused(chain: Verifier, proved: Statement, place: int, flip: int) -> None:
    proof = bytearray(proved.proof)
    proof[place] ^= flip
    answer = chain.ask(replace(proved, proof=bytes(proof)))
    assert isinstance(answer, Revert), f"byte {place} with {flip:#x}"
    slot = place // 64
    if slot in (0, 2):  # merged: the curve's addition is first to see the point
        assert answer.name == "CurveOperationFailed"
    elif slot == 3:
        assert answer == Revert("CommitmentMismatch", {"slot": 3})
    else:
        assert answer.name == "ProofRejected"


def test_altered_bytes_are_refused(chain: Verifier, proved: Statement) -> None:
    """A byte of every word of the proof, each time another of its places and bits."""
    random = np.random.default_rng(0)
    for word in range(0, len(proved.proof), WORD):
        place = word + int(random.integers(WORD))
        _assert_altered_byte_refused(chain, proved, place, 1 << int(random.integers(8)))


@pytest.mark.deep
def test_every_altered_byte_is_refused(chain: Verifier, proved: Statement) -> None:
    random = np.random.default_rng(1)
    for place in range(len(proved.proof)):
        _assert_altered_byte_refused(chain, proved, place, int(random.integers(1, 256)))


@pytest.mark.parametrize("modulus", [FIELD_MODULUS, BASE_FIELD], ids=["scalar field", "base field"])
def test_a_proof_has_one_spelling(chain: Verifier, proved: Statement, modulus: int) -> None:
    """A number of the proof plus its field's modulus means the same, and is refused all the same."""
    tried = 0
    for place in range(PREFIX, len(proved.proof), WORD):
        other = int.from_bytes(proved.proof[place : place + WORD], "big") + modulus
        if other < 2**256:
            tried += 1
            proof = proved.proof[:place] + other.to_bytes(WORD, "big") + proved.proof[place + WORD :]
            answer = chain.ask(replace(proved, proof=proof))
            assert isinstance(answer, Revert), f"word {place // WORD}"
            assert answer.name == "ProofRejected"
    assert tried


def test_altered_numbers_are_refused(chain: Verifier, proved: Statement) -> None:
    for index, entry in enumerate(proved.gram):
        for other in {(entry + 1) % FIELD_MODULUS, (entry - 1) % FIELD_MODULUS, -entry % FIELD_MODULUS, 7} - {
            entry
        }:
            answer = chain.ask(_with_entry(proved, index, other))
            assert isinstance(answer, Revert), f"entry {index}"
            assert answer.name == "ProofRejected"


def test_numbers_beyond_the_field_are_refused(chain: Verifier, proved: Statement) -> None:
    for index, entry in enumerate(proved.gram):
        for other in (entry + FIELD_MODULUS, FIELD_MODULUS, 2**256 - 1):
            answer = chain.ask(_with_entry(proved, index, other))
            assert answer == Revert("NotAFieldElement", {"index": index, "value": other})


def test_swapped_numbers_are_refused(chain: Verifier, proved: Statement) -> None:
    first, *rest, last = proved.gram
    answer = chain.ask(replace(proved, gram=(last, *rest, first)))
    assert isinstance(answer, Revert)
    assert answer.name == "ProofRejected"


@pytest.mark.parametrize("change", [-WORD, -1, 1, WORD, PREFIX])
def test_proofs_of_another_length_are_refused(chain: Verifier, proved: Statement, change: int) -> None:
    proof = (proved.proof + bytes(PREFIX))[: len(proved.proof) + change]
    answer = chain.ask(replace(proved, proof=proof))
    assert answer == Revert("WrongInputLength", {"given": len(proof), "expected": len(proved.proof)})


def test_lists_of_another_length_are_refused(chain: Verifier, proved: Statement) -> None:
    for gram_ in (proved.gram[:-1], (*proved.gram, 0), ()):
        answer = chain.ask(replace(proved, gram=gram_))
        assert answer == Revert("WrongInputLength", {"given": len(gram_), "expected": 15})
    answer = chain.ask(replace(proved, proof=b""))
    assert answer == Revert("WrongInputLength", {"given": 0, "expected": len(proved.proof)})


def test_a_proof_is_bound_to_the_commitments_it_begins_with(chain: Verifier, proved: Statement) -> None:
    """Other points, swapped ones, the identity, points off the curve. Nothing is merged here."""
    proved = replace(proved, merged=0)
    points = [from_bytes(proved.proof[64 * slot : 64 * slot + 64]) for slot in range(SLOTS)]
    x, y = points[0]
    for slot, point in [
        (0, Committer(chain.files).commit(np.arange(LENGTH))),
        (0, points[1]),
        (0, chain.files.zero),
        (0, Point(x, BASE_FIELD - y)),
        (0, Point(0, 0)),
        (0, Point(x, y + 1)),
        (0, Point(x + BASE_FIELD, y)),
        (2, Point(1, 2)),
    ]:
        answer = chain.ask(_with_point(proved, slot, point))
        assert isinstance(answer, Revert), (slot, point)
        assert answer.name == "ProofRejected"
    for point in (points[0], Point(0, 0), Point(1, 2)):
        answer = chain.ask(_with_point(proved, 3, point))
        assert answer == Revert("CommitmentMismatch", {"slot": 3})


def test_absence_is_part_of_the_statement(chain: Verifier, proved: Statement) -> None:
    for slot in (0, 1, 2, 4):
        statement = replace(proved, present=proved.present & ~(1 << slot), merged=0)
        for answer in (chain.ask(statement), chain.move(_without_proof(statement))):
            assert answer == Revert("CommitmentMismatch", {"slot": slot})
    for merged in (0b1000, 0b1101, 1 << SLOTS, 1 << 255):
        answer = chain.ask(replace(proved, merged=merged))
        assert answer == Revert("InvalidMerged", {"merged": merged})


def test_a_submitted_zero_update_is_the_absent_slots_commitment(chain: Verifier, proved: Statement) -> None:
    """C_0 posted by a trainer: present, provable, and it moves nothing."""
    present = replace(proved, present=proved.present | 0b1000)
    assert chain.ask(present) == chain.ask(proved)
    assert chain.ask(replace(present, merged=0b1000)) == proved.model


def test_another_rounds_proof_is_refused(chain: Verifier, proved: Statement) -> None:
    other, _ = chain.prove(random_updates(5, absent=(3,)), merged=0b101)
    assert chain.ask(other) != chain.ask(proved)
    for mixed in (
        replace(proved, proof=other.proof),
        replace(other, gram=proved.gram),
        replace(other, proof=other.proof[:PREFIX] + proved.proof[PREFIX:]),
    ):
        answer = chain.ask(mixed)
        assert isinstance(answer, Revert)
        assert answer.name == "ProofRejected"


def test_another_circuit_is_refused(chain: Verifier, proved: Statement) -> None:
    unknown = bytes([proved.circuit[0] ^ 1]) + proved.circuit[1:]
    for digest in (unknown, bytes(32)):
        assert chain.ask(replace(proved, circuit=digest)) == Revert("UnknownCircuit", {"digest": digest})
    answer = chain.ask(replace(proved, circuit=chain.other.digest))
    assert isinstance(answer, Revert)
    assert answer.name == "ProofRejected"


def test_the_zero_commitment_is_part_of_the_circuit(chain: Verifier, proved: Statement) -> None:
    """The same verifier registered around another C_0 is another circuit, in which absence reads differently."""
    real = circuit_of(chain.files, chain.contract.functions.circuitOf(proved.circuit).call()[0])
    call = chain.contract.functions.register(dataclasses.replace(real, zero=Point(1, 2)).to_abi())
    digest = call.call()
    chain.contract.w3.eth.wait_for_transaction_receipt(
        call.transact({"from": public_account(1).address}), poll_latency=0.02
    )
    assert digest != proved.circuit
    answer = chain.ask(replace(proved, circuit=digest))
    assert answer == Revert("CommitmentMismatch", {"slot": 3})


def test_a_model_off_the_curve_is_refused(chain: Verifier, proved: Statement) -> None:
    answer = chain.ask(replace(proved, model=Point(1, 3)))
    assert isinstance(answer, Revert)
    assert answer.name == "CurveOperationFailed"


def _with_entry(statement: Statement, index: int, entry: int) -> Statement:
    changed = (*statement.gram[:index], entry, *statement.gram[index + 1 :])
    return replace(statement, gram=changed)


def _with_point(statement: Statement, slot: int, point: Point) -> Statement:
    words = b"".join(number.to_bytes(WORD, "big") for number in point)
    proof = statement.proof[: 64 * slot] + words + statement.proof[64 * slot + 64 :]
    return replace(statement, proof=proof)


def _without_proof(statement: Statement) -> Statement:
    return replace(statement, proof=statement.proof[:PREFIX])
