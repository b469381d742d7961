"""Commitments of integer vectors: what a trainer computes alone, without the proving key."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from zk import felts
from zk.backend import ezkl
from zk.curve import Point
from zk.files import CircuitFiles


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
        message = [felts.encode(value) for value in vector.tolist()]
        (point,) = ezkl.kzg_commit(
            message, str(self._files.vk), str(self._files.settings), str(self._files.srs)
        )
        return Point(felts.unsigned(point.x), felts.unsigned(point.y))
