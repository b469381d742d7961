"""Openings as the contract takes them: an update or a model in clear, tied to its commitment."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.chain.types import Opening
from marketplace.node.project import ProjectContext
from zk.opening import open_at, open_chunk


def opening_of(context: ProjectContext, vector: NDArray[np.integer[Any]]) -> Opening:
    """The opening of an update, int16 [d], or of a model, int32 [d], for `answer` or `answerModel`.

    Raises BAD_INPUT for another dtype or shape.
    """
    made = open_at(context.circuit, vector, circuit=context.terms.circuit)
    return Opening(made.packed, made.proof)


def chunk_opening_of(context: ProjectContext, chunk: NDArray[np.signedinteger[Any]]) -> Opening:
    """The opening of a chunk's point, int16 [n] of an update or int32 [n] of a model (docs/sketch.md)."""
    made = open_chunk(context.circuit, chunk, circuit=context.terms.circuit)
    return Opening(made.packed, made.proof)
