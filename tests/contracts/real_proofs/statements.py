"""What GramVerifier is asked about real proofs and openings, and its answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from web3.contract import Contract
from web3.exceptions import ContractLogicError

from marketplace.chain.reverts import Revert, decode_revert, revert_data
from marketplace.protocol.field import to_felt
from zk import prover
from zk.commit import Committer
from zk.curve import SIZE, Point
from zk.files import CircuitFiles
from zk.opening import open_at

Update = NDArray[np.int16]
Vector = NDArray[np.integer[Any]]

SLOTS, LENGTH = 5, 8
PREFIX = SIZE * SLOTS  # bytes of a proof that are the commitments
LONG = 650  # of the vectors that are opened
MODEL = np.arange(LENGTH) * 1000 - 3000


@dataclass(frozen=True)
class Statement:
    """The arguments of GramVerifier.verify, and of `move` where the proof is cut to its commitments."""

    circuit: bytes
    present: int
    merged: int
    model: Point
    gram: tuple[int, ...]
    proof: bytes


@dataclass(frozen=True)
class Claim:
    """The arguments of GramVerifier.open."""

    circuit: bytes
    commitment: Point
    width: int
    packed: bytes
    proof: Point


@dataclass(frozen=True)
class Registered:
    """A circuit's files, and its digest on chain."""

    files: CircuitFiles
    digest: bytes


@dataclass(frozen=True)
class Verifier:
    """GramVerifier on the chain. `circuit` and `other` differ in length, not in C_0; `long` is for openings."""

    contract: Contract
    circuit: Registered
    other: Registered
    long: Registered

    @property
    def files(self) -> CircuitFiles:
        return self.circuit.files

    def ask(self, statement: Statement) -> Point | Revert:
        """The moved model's commitment, or why the contract refuses the proof."""
        return _point(self._call("verify", statement))

    def move(self, statement: Statement) -> Point | Revert:
        """The same, from the statement's commitments alone."""
        return _point(self._call("move", statement))

    def open(self, claim: Claim) -> int | Revert:
        """The vector's squared norm, or why the contract refuses the opening."""
        answer: int | Revert = self._call("open", claim)
        return answer

    def prove(self, rows: list[Update | None], merged: int) -> tuple[Statement, tuple[Point, ...]]:
        """A true statement about `rows`, and the commitments made from them without the prover."""
        proof = prover.prove(self.files, rows)
        committer = Committer(self.files)
        points = tuple(committer.zero if row is None else committer.commit(row) for row in rows)
        present = sum(1 << slot for slot, row in enumerate(rows) if row is not None)
        felts = tuple(to_felt(entry) for entry in proof.gram)
        model = committer.commit(MODEL)
        return Statement(self.circuit.digest, present, merged, model, felts, proof.proof), points

    def _call(self, function: str, arguments: Statement | Claim) -> Any:
        values = [getattr(arguments, name) for name in type(arguments).__dataclass_fields__]
        try:
            return self.contract.functions[function](*values).call()
        except ContractLogicError as error:
            return decode_revert(revert_data(error.data)) or Revert("Unknown", {"message": str(error)})


def claim_of(circuit: Registered, vector: Vector) -> Claim:
    """A true claim: `vector`, its commitment as a trainer makes it, and the opening."""
    opening = open_at(circuit.files, vector, circuit=circuit.digest)
    commitment = Committer(circuit.files).commit(vector)
    return Claim(circuit.digest, commitment, vector.dtype.itemsize, opening.packed, opening.proof)


def random_updates(seed: int, absent: tuple[int, ...] = ()) -> list[Update | None]:
    """int16 over its whole range, by slot."""
    random = np.random.default_rng(seed)
    rows = random.integers(-32768, 32767, (SLOTS, LENGTH), dtype=np.int16, endpoint=True)
    return [None if slot in absent else row for slot, row in enumerate(rows)]


def _point(answer: Any) -> Point | Revert:
    return answer if isinstance(answer, Revert) else Point(*answer)
