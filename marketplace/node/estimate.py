"""What a proof of a shape will take, from measured shapes: for previews, not for promises."""

from __future__ import annotations

import math
from dataclasses import dataclass

from zk.shape import CircuitShape, layout_of

# Measured with benchmarks/prove.py: slots, length, CPU seconds, bytes at the peak.
_MEASURED = (
    (5, 64, 0.3, 40_000_000),
    (10, 650, 5.5, 240_000_000),
    (16, 650, 12.4, 575_000_000),
    (8, 4000, 19.4, 780_000_000),
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
    return (shape.slots + 3 * layout.columns + 4) << layout.logrows
