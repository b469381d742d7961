"""What a proof of a shape, and a large model's vectors, will take, as measured: for previews, not for promises."""

from __future__ import annotations

import math
from dataclasses import dataclass

from zk.shape import CircuitShape, layout_of

# Measured with benchmarks/prove.py (witness, proof, check): CPU seconds, bytes at the peak.
_MEASURED = {
    CircuitShape(5, 64): (0.3, 40_000_000),
    CircuitShape(8, 650): (4.6, 222_000_000),
    CircuitShape(8, 1000): (4.9, 253_000_000),
    CircuitShape(16, 1000): (20.6, 980_000_000),
    CircuitShape(16, 5000): (88.0, 4_060_000_000),
    CircuitShape(8, 650, "proven"): (17.2, 863_000_000),
    CircuitShape(8, 12_500, "proven"): (93.0, 3_625_000_000),
}


_NUMBERS_A_SECOND = 400_000  # of a model, committed to on one core, in chunks of 4,096; an update's go faster
_LEAF_BYTES = 96


@dataclass(frozen=True)
class ProofEstimate:
    """CPU seconds and peak memory in bytes of one proof."""

    cpu_s: float
    memory_bytes: int


@dataclass(frozen=True)
class VectorEstimate:
    """Of one packed vector on the sketch path: CPU seconds to commit to it, bytes that are published of it."""

    numbers: int
    commit_s: float
    update_bytes: int  # with its leaves
    model_bytes: int  # with its leaves

    def in_words(self) -> str:
        """For somebody who decides whether to take part."""
        return (
            f"{self.numbers:,} numbers: about {self.commit_s:.1f} s of a core to commit to a model or an update; "
            f"each round a trainer uploads {_mb(self.update_bytes)} and fetches {_mb(self.model_bytes)}, "
            f"an aggregator fetches {_mb(self.update_bytes)} of each trainer"
        )


def estimate_vectors(chunks: int, chunk_length: int) -> VectorEstimate:
    """Of vectors of so many chunks of so many numbers."""
    numbers, leaves = chunks * chunk_length, chunks * _LEAF_BYTES
    return VectorEstimate(
        numbers, round(numbers / _NUMBERS_A_SECOND, 1), 2 * numbers + leaves, 4 * numbers + leaves
    )


def estimate_proof(shape: CircuitShape) -> ProofEstimate:
    """In proportion to the cells of the circuit, from the measured shape of that range that is nearest in size."""
    cells = _cells(shape)
    alike = [known for known in _MEASURED if known.range == shape.range]
    nearest = min(alike, key=lambda known: abs(math.log(cells / _cells(known))))
    ratio = cells / _cells(nearest)
    cpu_s, memory = _MEASURED[nearest]
    return ProofEstimate(round(cpu_s * ratio, 1), int(memory * ratio))


def _cells(shape: CircuitShape) -> int:
    """The columns that a proof commits to, times their rows (see `zk.shape`)."""
    layout = layout_of(shape)
    columns = shape.slots + 3 * layout.columns + 4
    if shape.range == "proven":
        columns += 2 * layout.tables * (layout.columns + 1)  # a lookup has two columns, and so has a table
    return columns << layout.logrows


def _mb(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
