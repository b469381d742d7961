"""What each trainer is worth to a round, from the utility of every subset of its updates.

`table` holds V of each subset by mask, length 2^n; V of the empty one is the last round's model.
"""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BETWEEN, WITHIN = 0.01, 0.001  # truncations of GTG-Shapley, as FedML codes it
FEWEST, LAST, CONVERGED = 30, 10, 0.05


def exact(table: Floats) -> Floats:
    """Shapley values, of all 2^n subsets."""
    count = _count(table)
    values = np.zeros(count)
    for subset in range(len(table)):
        size = subset.bit_count()
        for player in range(count):
            if not subset >> player & 1:
                gain = table[subset | 1 << player] - table[subset]
                values[player] += gain / (count * comb(count - 1, size))
    return values


def leave_one_out(table: Floats) -> Floats:
    """V(N) - V(N without i)."""
    everyone = len(table) - 1
    return np.array([table[everyone] - table[everyone ^ 1 << i] for i in range(_count(table))])


def gtg(table: Floats, random: np.random.Generator) -> tuple[Floats, int]:
    """GTG-Shapley (Liu et al., ACM TIST 2022): truncated Monte Carlo with guided permutations.

    Returns the values, and how many subsets' utilities it needed.
    """
    count, everyone = _count(table), len(table) - 1
    used = {0, everyone}
    if abs(table[everyone] - table[0]) <= BETWEEN:
        return np.zeros(count), len(used)
    walks: list[Floats] = []
    while not _converged(walks):
        for first in range(count):
            rest = random.permutation([player for player in range(count) if player != first])
            walks.append(_walk(table, [first, *rest.tolist()], used))
    return np.mean(walks, axis=0, dtype=np.float64), len(used)


def _walk(table: Floats, order: list[int], used: set[int]) -> Floats:
    gains, subset, before, everyone = np.zeros(len(order)), 0, table[0], len(table) - 1
    for player in order:
        subset |= 1 << player
        value = before
        if abs(table[everyone] - before) >= WITHIN:
            used.add(subset)
            value = table[subset]
        gains[player], before = value - before, value
    return gains


def _converged(walks: list[Floats]) -> bool:
    if len(walks) <= FEWEST:
        return False
    means = np.cumsum(walks, axis=0) / np.arange(1, len(walks) + 1)[:, None]
    last = means[-1]
    drift = [np.mean(np.abs(mean - last) / (np.abs(last) + 1e-12)) for mean in means[-1 - LAST : -1]]
    return bool(max(drift) <= CONVERGED)


def _count(table: Floats) -> int:
    return len(table).bit_length() - 1
