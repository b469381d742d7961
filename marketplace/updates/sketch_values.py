"""The values that answer whether a commitment is that of a sketch, chunk by chunk (docs/sketch.md, "Sketch")."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.protocol.sketch import Sketcher
from zk.opening import values_at


def chunk_values(
    sketcher: Sketcher,
    vector: NDArray[np.signedinteger[Any]],
    chunk_length: int,
    logrows: int,
    z: int,
) -> list[int]:
    """v_0 .. v_(J-1) mod r: what the polynomial of each chunk's sketch is at z; they add up to the sketch's.

    `vector`: J chunks, an update or a new model less the old one (int64). BAD_INPUT as of `Sketcher.sketch`.
    """
    blocks = chunk_length // sketcher.width
    sketches = [
        sketcher.sketch(chunk, first_block=blocks * index)
        for index, chunk in enumerate(vector.reshape(-1, chunk_length))
    ]
    return values_at(np.stack(sketches), logrows, z)
