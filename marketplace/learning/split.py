"""Splits of a data set among trainers, for demos and benchmarks: deterministic, no part empty."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset


def iid(dataset: Dataset, parts: int, seed: int) -> list[Dataset]:
    """Random parts of as equal a size as can be."""
    _check(dataset, parts)
    order = np.random.default_rng(seed).permutation(len(dataset))
    return [dataset.rows(part) for part in np.array_split(order, parts)]


def dirichlet(dataset: Dataset, parts: int, alpha: float, seed: int) -> list[Dataset]:
    """Each class is dealt out in proportions drawn from Dirichlet(alpha) (Hsu et al., arXiv:1909.06335).

    The smaller `alpha`, the more the parts differ. A part that would be empty takes a row of the largest.
    """
    _check(dataset, parts)
    if not 0 < alpha < float("inf"):
        raise FairshareError(Reason.BAD_INPUT, f"alpha is {alpha}, not above 0", "0.5 is common")
    generator = np.random.default_rng(seed)
    indices: list[list[NDArray[np.int64]]] = [[] for _ in range(parts)]
    for label in np.unique(dataset.y):
        rows = generator.permutation(np.flatnonzero(dataset.y == label))
        ends = np.floor(np.cumsum(generator.dirichlet([alpha] * parts))[:-1] * len(rows)).astype(np.int64)
        for dealt, chunk in zip(indices, np.split(rows, ends), strict=True):
            dealt.append(chunk)
    joined = [generator.permutation(np.concatenate(dealt)) for dealt in indices]
    for i, part in enumerate(joined):
        if len(part) == 0:
            largest = max(range(parts), key=lambda j: len(joined[j]))
            joined[i], joined[largest] = joined[largest][:1], joined[largest][1:]
    return [dataset.rows(part) for part in joined]


def hold_out(dataset: Dataset, share: float, seed: int) -> tuple[Dataset, Dataset]:
    """(rest, held out): `share` of each class is held out, at random."""
    generator = np.random.default_rng(seed)
    held = np.zeros(len(dataset), dtype=bool)
    for label in np.unique(dataset.y):
        rows = generator.permutation(np.flatnonzero(dataset.y == label))
        held[rows[: round(share * len(rows))]] = True
    return dataset.rows(np.flatnonzero(~held)), dataset.rows(np.flatnonzero(held))


def _check(dataset: Dataset, parts: int) -> None:
    if not 1 <= parts <= len(dataset):
        raise FairshareError(
            Reason.BAD_INPUT, f"{len(dataset)} rows cannot be split in {parts}", "use fewer trainers"
        )
