"""Commitments of integer vectors: what a trainer computes alone, without the proving key."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from zk import felts
from zk.backend import ezkl
from zk.commit_key import commit_key
from zk.curve import Point
from zk.files import CircuitFiles
from zk.shape import BLINDING_ROWS


class Committer:
    """Commits to vectors of `files.shape.length` integers: C(q) = C_0 + sum_j q_j L_j (docs/proof.md).

    The same commitment that a proof carries for the same vector. Deterministic: binding, not hiding.
    """

    def __init__(self, files: CircuitFiles) -> None:
        self._files = files

    @property
    def zero(self) -> Point:
        """C_0, the commitment of the zero vector."""
        return self._files.zero

    def commit(self, vector: NDArray[np.integer[Any]]) -> Point:
        """The commitment of `vector`, shape (length,), any integer dtype; else FairshareError(BAD_INPUT)."""
        length = self._files.shape.length
        if vector.shape != (length,) or not np.issubdtype(vector.dtype, np.integer):
            raise FairshareError(
                Reason.BAD_INPUT,
                f"this circuit commits to {length} integers, not to {vector.dtype} of shape {vector.shape}",
                "check that the model and the project have the same number of parameters",
            )
        return commit_scalars(self._files, [felts.encode(value) for value in vector.tolist()])


def rows_of(files: CircuitFiles) -> int:
    """How many numbers a column holds, whatever the circuit multiplies: its rows but the last 6."""
    return (1 << files.logrows) - BLINDING_ROWS


def commit_column(files: CircuitFiles, values: NDArray[np.signedinteger[Any]]) -> Point:
    """C_0 + sum_j values_j L_j for int8 to int64 of shape (m,), 0 < m <= `rows_of`; else FairshareError(BAD_INPUT)."""
    if values.ndim != 1 or not 0 < values.size <= rows_of(files) or values.dtype.kind != "i":
        raise FairshareError(
            Reason.BAD_INPUT,
            f"a column holds 1 to {rows_of(files)} integers, not {values.dtype} of shape {values.shape}",
        )
    return commit_scalars(files, felts.encode_all(values))


def commit_scalars(files: CircuitFiles, scalars: list[str]) -> Point:
    """The commitment of encoded field elements, at most `rows_of` many."""
    # ezkl begins another column when one is full, even if nothing is left to put there
    return commit_columns(files, str(files.srs), scalars)[0]


def commit_columns(files: CircuitFiles, srs: str, scalars: list[str]) -> list[Point]:
    """The commitments of encoded field elements in columns of as many rows as the SRS at `srs` has."""
    key = commit_key(files.cache)
    points = ezkl.kzg_commit(scalars, str(key.vk), str(key.settings), srs)
    return [Point(felts.unsigned(point.x), felts.unsigned(point.y)) for point in points]
