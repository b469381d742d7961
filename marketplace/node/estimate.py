"""What a proof of a shape will take, from measured shapes: for previews, not for promises."""

from __future__ import annotations

import math
from dataclasses import dataclass

from zk.shape import CircuitShape, layout_of

# Measured with benchmarks/prove.py (witness, proof, check): slots, length, CPU seconds, bytes at the peak.
_MEASURED = (
    (5, 64, 0.3, 40_000_000),
    (8, 650, 4.6, 222_000_000),
    (8, 1000, 4.9, 253_000_000),
    (16, 1000, 20.6, 980_000_000),
    (16, 5000, 88.0, 4_060_000_000),
)


@dataclass(frozen=True)
class ProofEstimate:
    """CPU seconds and peak memory in bytes of one proof."""

    cpu_s: float
    memory_bytes: int


def estimate_proof(shape: CircuitShape) -> ProofEstimate:
    """In proportion to the cells of the circuit, from the measured shape that is nearest in size."""
    cells = _cells(shape)
    nearest = min(
        _MEASURED, key=lambda known: abs(math.log(cells / _cells(CircuitShape(known[0], known[1]))))
    )
    ratio = cells / _cells(CircuitShape(nearest[0], nearest[1]))
    return ProofEstimate(round(nearest[2] * ratio, 1), int(nearest[3] * ratio))


def _cells(shape: CircuitShape) -> int:
    """The columns that a proof commits to, times their rows (see `zk.shape`)."""
    layout = layout_of(shape)
    columns = shape.slots + 3 * layout.columns + 4
    if shape.range == "proven":
        columns += 2 * layout.tables * (layout.columns + 1)  # a lookup has two columns, and so has a table
    return columns << layout.logrows
