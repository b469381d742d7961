"""Eight trainers whose labels are worse and worse, and the owner's validation set."""

from __future__ import annotations

import numpy as np

from marketplace.learning import split
from marketplace.learning.data import Dataset
from offchain.training import noisy, parts_of

NOISE = (0.0, 0.0, 0.0, 0.0, 0.2, 0.4, 0.7, 1.0)  # by trainer: of its labels, drawn anew
COUNT = len(NOISE)
LARGEST = {"digits": None, "fashion-mnist": COUNT * 1500 + 1500}  # rows that are used


def parties(data: Dataset, classes: int, alpha: float | None, seed: int) -> tuple[list[Dataset], Dataset]:
    """The trainers' parts, IID or by Dirichlet(alpha), and the validation set, clean and apart from them."""
    rest, validation = split.hold_out(data, 0.2 if len(data) < 10_000 else 1500 / len(data), seed)
    parts = parts_of(rest, COUNT, alpha, seed)
    return [noisy(part, share, classes, seed) for part, share in zip(parts, NOISE, strict=True)], validation


def some(data: Dataset, most: int | None, seed: int) -> Dataset:
    """At most so many rows, at random."""
    if most is None or most >= len(data):
        return data
    return data.rows(np.random.default_rng(seed).permutation(len(data))[:most])
