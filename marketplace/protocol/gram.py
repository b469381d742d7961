"""The Gram matrix of a round's updates, kept as its upper triangle row by row: what the proof publishes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Gram:
    """K x K symmetric matrix of signed integers; `triangle` holds G_00, G_01, .., G_0(K-1), G_11, .."""

    slots: int
    triangle: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.triangle) != triangle_size(self.slots):
            raise ValueError(
                f"{self.slots} slots need {triangle_size(self.slots)} entries, not {len(self.triangle)}"
            )

    def __getitem__(self, pair: tuple[int, int]) -> int:
        i, j = min(pair), max(pair)
        return self.triangle[i * self.slots - i * (i - 1) // 2 + j - i]


def triangle_size(slots: int) -> int:
    """Entries of the upper triangle: K(K+1)/2."""
    return slots * (slots + 1) // 2


def gram(updates: Sequence[NDArray[np.integer] | None]) -> Gram:
    """Exact Gram matrix of `updates` (vectors of one length; None: an absent slot, zero)."""
    length = next((len(u) for u in updates if u is not None), 0)
    rows = np.zeros((len(updates), length), dtype=np.int64)
    for i, update in enumerate(updates):
        if update is not None:
            rows[i] = update
    if length * int(np.abs(rows).max(initial=0)) ** 2 >= 2**63:
        rows = rows.astype(object)  # beyond int64: exact, slow; no update of int16 comes here
    full = rows @ rows.T
    slots = len(updates)
    return Gram(slots, tuple(int(full[i, j]) for i in range(slots) for j in range(i, slots)))
