"""What a proof of a shape will take, from measured shapes: for previews, not for promises."""

from __future__ import annotations

from dataclasses import dataclass

from zk.shape import CircuitShape, layout_of

# Proofs measured with benchmarks/prove.py: columns of the circuit times its rows; CPU seconds; bytes at the peak.
_MEASURED: tuple[tuple[int, float, int], ...] = ((1, 1.0, 1),)


@dataclass(frozen=True)
class ProofEstimate:
    """CPU seconds and peak memory in bytes of one proof."""

    cpu_s: float
    memory_bytes: int
