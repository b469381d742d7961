"""Statements to GramVerifier.verify about real proofs, and its answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from eth_utils.crypto import keccak
from numpy.typing import NDArray
from web3.exceptions import ContractLogicError

from marketplace.chain.reverts import Revert, decode_revert, revert_data
from marketplace.protocol.field import to_felt
from tests.support.market_run import Stage
from zk import curve, prover
from zk.commit import Committer
from zk.curve import Point
from zk.files import CircuitFiles

Update = NDArray[np.int16]

SLOTS, FEATURES, CLASSES = 5, 3, 2
LENGTH = (FEATURES + 1) * CLASSES
MODEL = np.arange(LENGTH) * 1000 - 3000


def commitment_digest(point: Point) -> bytes:
    """What the market keeps of a submission: the first 31 bytes of keccak256(x, y)."""
    return bytes(keccak(curve.to_bytes(point))[:31])


@dataclass(frozen=True)
class Statement:
    """The arguments of GramVerifier.verify."""

    circuit: bytes
    commitments: tuple[bytes, ...]
    merged: int
    model: Point
    gram: tuple[int, ...]
    proof: bytes


@dataclass(frozen=True)
class Verifier:
    """GramVerifier on the chain, with circuits of two lengths whose C_0 and length of proofs are the same."""

    stage: Stage
    other_circuit: bytes

    @property
    def files(self) -> CircuitFiles:
        return self.stage.files

    def ask(self, statement: Statement) -> Point | Revert:
        """The moved model's commitment, or why the contract refuses."""
        values = [getattr(statement, name) for name in Statement.__dataclass_fields__]
        try:
            return Point(*self.stage.client.gram_verifier.functions.verify(*values).call())
        except ContractLogicError as error:
            return decode_revert(revert_data(error.data)) or Revert("Unknown", {"message": str(error)})

    def prove(self, rows: list[Update | None], merged: int) -> tuple[Statement, tuple[Point, ...]]:
        """A true statement about `rows`, and the commitments made from them without the prover."""
        proof = prover.prove(self.files, rows)
        committer = Committer(self.files)
        points = tuple(committer.zero if row is None else committer.commit(row) for row in rows)
        digests = tuple(
            bytes(31) if row is None else commitment_digest(point)
            for row, point in zip(rows, points, strict=True)
        )
        felts = tuple(to_felt(entry) for entry in proof.gram)
        return Statement(
            self.stage.circuit, digests, merged, committer.commit(MODEL), felts, proof.proof
        ), points


def random_updates(seed: int, absent: tuple[int, ...] = ()) -> list[Update | None]:
    """int16 over its whole range, by slot."""
    random = np.random.default_rng(seed)
    rows = random.integers(-32768, 32767, (SLOTS, LENGTH), dtype=np.int16, endpoint=True)
    return [None if slot in absent else row for slot, row in enumerate(rows)]
