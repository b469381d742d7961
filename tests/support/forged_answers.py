"""Forged answers: to a demand for a proof, to a challenge of a model, to a complaint about an update."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from marketplace.chain.types import Opening
from marketplace.protocol.field import FIELD_MODULUS
from tests.support.forgeries import PREFIX, REJECTED, WORD
from tests.support.forgery_scene import INPUTS, Scene, calldata, commitment, felts_of, opening_of
from tests.support.market_run import Play
from zk.curve import BASE_FIELD, SIZE, Point, add
from zk.prover import Proof, prove

SLOT = 2  # that is complained about

_STATEMENT = frozenset({"WrongOutcomes"})
_OPENING = frozenset({"OpeningRejected"})
_DIGEST = frozenset({"DigestMismatch"})
_LENGTH = frozenset({"WrongInputLength"})
_CURVE = frozenset({"CurveOperationFailed"})
_NO_POINT = frozenset({"NotOnCurve"})
_NOTHING = frozenset({"NothingToAnswer"})


@dataclass(frozen=True)
class ForgedAnswer:
    """A call of the market, and the errors that the contracts may refuse it with."""

    name: str
    play: Play
    data: bytes
    errors: frozenset[str]


def true_answers(scene: Scene) -> list[tuple[str, Play, bytes]]:
    """What the contracts take: each forged answer differs from one of these."""
    proof = prove(scene.stage.files, scene.all_rows)
    return [
        ("the proof demanded", scene.doubted, _proof_answer(scene.doubted, felts_of(proof), proof.proof)),
        ("the model", scene.shown, _model_answer(scene.shown, _model(scene))),
        ("the update", scene.withheld, _update_answer(scene, SLOT, *_update(scene))),
    ]


def forged_answers(scene: Scene) -> list[ForgedAnswer]:
    """The table, by name."""
    proof = prove(scene.stage.files, scene.all_rows)
    return [*_proofs(scene, proof), *_models(scene), *_updates(scene)]


def _proofs(scene: Scene, true: Proof) -> Iterator[ForgedAnswer]:
    felts, proof = felts_of(true), true.proof
    others = prove(scene.stage.files, [row // 2 for row in scene.all_rows])
    swapped = proof[SIZE : 2 * SIZE] + proof[:SIZE] + proof[2 * SIZE :]
    negated = _negated_last_point(proof)
    for name, numbers, data, errors in (
        ("another statement", felts_of(others), others.proof, _STATEMENT),
        ("here's proof", scene.here.result.gram, scene.here.result.proof, _STATEMENT),
        ("the proof of another statement", felts, others.proof, _STATEMENT),
        ("the numbers of another statement", felts_of(others), proof, _STATEMENT),
        ("the commitments of two slots exchanged", felts, swapped, _STATEMENT),
        ("the absent slot's C_0", felts, _zeroed(scene, proof), _STATEMENT),
        ("a number + the field's modulus", (felts[0] + FIELD_MODULUS, *felts[1:]), proof, _STATEMENT),
        ("a number more", (*felts, 0), proof, _STATEMENT),
        ("no number", (), proof, _STATEMENT),
        ("only the commitments", felts, proof[:PREFIX], _LENGTH),
        ("a byte trailing", felts, proof + b"\0", _LENGTH),
        ("a word less", felts, proof[:-WORD], _LENGTH),
        ("nothing", felts, b"", frozenset({"Undecodable"})),
        ("zeros behind the commitments", felts, proof[:PREFIX] + bytes(len(proof) - PREFIX), REJECTED),
        ("another proof behind the commitments", felts, proof[:PREFIX] + others.proof[PREFIX:], REJECTED),
        ("another circuit's proof", felts, proof[:PREFIX] + scene.shorter.proof[PREFIX:], REJECTED),
        ("another SRS's proof", felts, proof[:PREFIX] + scene.foreign.proof[PREFIX:], REJECTED),
        ("its last point negated", felts, negated, REJECTED),
    ):
        data = _proof_answer(scene.doubted, numbers, data)
        yield ForgedAnswer(f"to a demanded proof: {name}", scene.doubted, data, errors)
    for name, numbers, errors in (
        ("the true statement", felts, _STATEMENT),
        ("the lie", scene.lie, REJECTED),
    ):
        data = _proof_answer(scene.lied, numbers, proof)
        yield ForgedAnswer(f"to a doubted lie: {name}", scene.lied, data, errors)
    play = scene.shown
    data = _proof_answer(play, felts, proof)
    yield ForgedAnswer("a proof where the model is challenged", play, data, _NOTHING)


def _models(scene: Scene) -> Iterator[ForgedAnswer]:
    play, model = scene.shown, scene.shown.model
    true = _model(scene)
    before = play.models[1]
    off = model.copy()
    off[0] += 1
    yield from (
        ForgedAnswer(f"to a challenged model: {name}", play, _model_answer(play, opening), errors)
        for name, opening, errors in (
            ("the one before", _opening(scene, before), _OPENING),
            ("one number off", _opening(scene, off), _OPENING),
            ("one number off, the true opening", Opening(_opening(scene, off).packed, true.proof), _OPENING),
            ("zeros", _opening(scene, np.zeros_like(model)), _OPENING),
            ("as int16", Opening(true.packed[: len(true.packed) // 2], true.proof), _LENGTH),
            ("a number more", Opening(true.packed + bytes(4), true.proof), _LENGTH),
            ("nothing", Opening(b"", true.proof), _LENGTH),
            ("bytes reversed", Opening(true.packed[::-1], true.proof), _OPENING),
            *_altered_proofs(true),
        )
    )
    data = _model_answer(scene.doubted, true)
    yield ForgedAnswer("a model where the proof is demanded", scene.doubted, data, _NOTHING)


def _updates(scene: Scene) -> Iterator[ForgedAnswer]:
    point, true = _update(scene)
    x, y = point
    rows = scene.all_rows
    off = rows[SLOT].copy()
    off[0] += 1
    others = commitment(scene.stage, rows[3])
    for name, slot, shown, opening, errors in (
        ("another slot's", SLOT, others, _opening(scene, rows[3]), _DIGEST),
        ("for another slot", 3, others, _opening(scene, rows[3]), _NOTHING),
        ("for the absent reference", INPUTS, point, true, _NOTHING),
        ("of a number off", SLOT, commitment(scene.stage, off), _opening(scene, off), _DIGEST),
        ("of a number off, the true commitment", SLOT, point, _opening(scene, off), _OPENING),
        (
            "the true opening of a number off",
            SLOT,
            point,
            Opening(_opening(scene, off).packed, true.proof),
            _OPENING,
        ),
        ("the commitment off the curve", SLOT, Point(x, y + 1), true, _NO_POINT),
        ("the commitment negated", SLOT, Point(x, BASE_FIELD - y), true, _DIGEST),
        ("the commitment + the base field's modulus", SLOT, Point(x + BASE_FIELD, y), true, _NO_POINT),
        ("C_0 and zeros", SLOT, scene.stage.files.zero, _opening(scene, np.zeros_like(off)), _DIGEST),
        ("as int32", SLOT, point, _opening(scene, rows[SLOT].astype(np.int32)), _LENGTH),
        ("a number less", SLOT, point, Opening(true.packed[:-2], true.proof), _LENGTH),
        *((name, SLOT, point, opening, errors) for name, opening, errors in _altered_proofs(true)),
    ):
        data = _update_answer(scene, slot, shown, opening)
        yield ForgedAnswer(f"to a complaint: {name}", scene.withheld, data, errors)


def _altered_proofs(true: Opening) -> list[tuple[str, Opening, frozenset[str]]]:
    x, y = true.proof
    return [
        ("its proof negated", Opening(true.packed, Point(x, BASE_FIELD - y)), _OPENING),
        ("its proof moved by the generator", Opening(true.packed, add(true.proof, Point(1, 2))), _OPENING),
        ("no proof: the point at infinity", Opening(true.packed, Point(0, 0)), _OPENING),
        ("its proof off the curve", Opening(true.packed, Point(x, y + 1)), _CURVE),
        ("its proof + the base field's modulus", Opening(true.packed, Point(x + BASE_FIELD, y)), _CURVE),
    ]


def _proof_answer(play: Play, felts: Sequence[int], proof: bytes) -> bytes:
    return calldata(play, "answerProof", [play.project, list(felts), proof])


def _model_answer(play: Play, opening: Opening) -> bytes:
    return calldata(play, "answerModel", [play.project, opening.to_abi()])


def _update_answer(scene: Scene, slot: int, point: Point, opening: Opening) -> bytes:
    play = scene.withheld
    arguments: list[Any] = [play.project, 1, 0, slot, tuple(point), opening.to_abi()]
    return calldata(play, "answer", arguments)


def _model(scene: Scene) -> Opening:
    return _opening(scene, scene.shown.model)


def _update(scene: Scene) -> tuple[Point, Opening]:
    row = scene.all_rows[SLOT]
    return commitment(scene.stage, row), _opening(scene, row)


def _opening(scene: Scene, vector: Any) -> Opening:
    return opening_of(scene.stage, vector, scene.stage.circuit)


def _zeroed(scene: Scene, proof: bytes) -> bytes:
    zero = scene.stage.files.zero
    return proof[:SIZE] + zero.x.to_bytes(WORD, "big") + zero.y.to_bytes(WORD, "big") + proof[2 * SIZE :]


def _negated_last_point(proof: bytes) -> bytes:
    y = int.from_bytes(proof[-WORD:], "big")
    return proof[:-WORD] + (BASE_FIELD - y).to_bytes(WORD, "big")
