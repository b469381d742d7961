"""Rounds to judge, mostly ones that no honest market would see: a base of vectors, then cells of G overwritten.

Seeded (`random_round`): any K, f and entries. The edges of the rules (`edges`) are shared with the hypothesis
strategies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isqrt

import numpy as np

from marketplace.protocol.field import FIELD_MODULUS, from_felt, to_felt
from marketplace.protocol.gram import Gram, gram, triangle_size
from marketplace.protocol.krum import BASIS_POINTS, Judgement, Rules, ScoreRule, judge, near

LARGEST_BOUND = 2**63 - 1
SHAPES = [(slots, faults) for slots in range(3, 17) for faults in range((slots - 3) // 2 + 1)]
STRIKE_FACTORS = (0, 100, 101, 300, 2**16 - 1)
DUPLICATE_COSINES = (0, 1, 5_000, 9_990, BASIS_POINTS)


@dataclass(frozen=True)
class Round:
    """What the rules judge. `positions`: by slot, from 1, 0 where a slot did not submit."""

    rules: Rules
    gram: Gram
    submitted: tuple[int, ...]
    reference_present: bool
    positions: tuple[int, ...]

    def judged(self) -> Judgement:
        """What Python makes of it; FarPair where it has one."""
        return judge(
            self.rules,
            self.gram,
            self.submitted,
            self.positions,
            reference_present=self.reference_present,
        )


def edges(rules: Rules, a: int = 0, b: int = 0) -> list[int]:
    """Signed entries at and beside every limit of the rules, for an inner product of two slots with G_ii = a, b."""
    bound, half = rules.max_norm_squared, FIELD_MODULUS // 2
    schwarz = isqrt(abs(a * b))
    copied = isqrt(rules.duplicate_cosine**2 * abs(a * b) // BASIS_POINTS**2)
    sizes = {0, 1, bound - 1, bound, bound + 1, schwarz, schwarz + 1, copied, copied + 1}
    sizes |= {2**64, 2**72, 2**128, half - 1, half}
    return sorted({sign * size for size in sizes for sign in (1, -1)})


def mended(rules: Rules, matrix: Gram, inputs: int | None = None) -> Gram:
    """What is far put at the limit, where it is near; but for slots beyond the bound, who are absent.

    `inputs`: only of so many, None: of all.
    """
    slots, triangle, bound = matrix.slots, list(matrix.triangle), rules.max_norm_squared
    within = [i for i in range(inputs or slots) if 0 <= matrix[i, i] <= bound]
    for i, j in combinations(within, 2):
        if not near(rules, matrix, i, j):
            limit = isqrt(matrix[i, i] * matrix[j, j])
            triangle[cell(slots, i, j)] = limit if matrix[i, j] > 0 else -limit
    return Gram(slots, tuple(triangle))


def cell(slots: int, i: int, j: int) -> int:
    """Index of G_ij, i <= j, in the triangle."""
    return i * slots - i * (i - 1) // 2 + j - i


def random_round(random: np.random.Generator) -> Round:
    """Any round, the likelier ones included: half of all have everybody present, and most have no far pair."""
    slots, faults = SHAPES[int(random.integers(len(SHAPES)))]
    reference = slots < 16 and random.random() < 0.5
    matrix = _matrix(random, slots + reference)
    rules = Rules(
        slots=slots,
        faults=faults,
        max_norm_squared=norm_bound(random, matrix),
        score_rule=ScoreRule(int(random.integers(2))),
        reference=reference,
        strike_factor=int(random.choice(STRIKE_FACTORS)),
        duplicate_cosine=int(random.choice(DUPLICATE_COSINES)),
    )
    submitted = list(range(slots))
    if random.random() < 0.5:
        submitted = [slot for slot in range(slots) if random.random() < 0.9]
    order = random.permutation(len(submitted)) + 1
    positions = [0] * slots
    for slot, position in zip(submitted, order.tolist(), strict=True):
        positions[slot] = position
    matrix = _on_the_edge(random, rules, matrix)
    mend = random.integers(4)
    if mend:
        matrix = mended(rules, matrix, slots if mend == 1 else None)
    return Round(rules, matrix, tuple(submitted), random.random() < 0.8, tuple(positions))


def _matrix(random: np.random.Generator, slots: int) -> Gram:
    length = int(random.integers(1, 9))
    match random.integers(6):
        case 0:  # a common direction and noise; some flipped, some copied
            size = 2.0 ** random.integers(1, 29)
            rows = random.normal(0, size, length) + random.normal(0, size / 4, (slots, length))
            rows[random.random(slots) < 0.15] *= -2
            rows[random.random(slots) < 0.2] = rows[0]
        case 1:  # few values: ties everywhere
            rows = random.integers(-1, 2, (slots, length)).astype(float)
        case 2:
            rows = random.choice([-32767.0, 32767.0, 0.0], (slots, length))
        case 3:
            rows = np.repeat(random.integers(-3, 4, (1, length)), slots, axis=0).astype(float)
        case 4:
            rows = np.zeros((slots, length))
        case _:  # no vectors at all
            return _elements(random, slots)
    return gram([row.astype(np.int64) for row in np.rint(rows)])


def _elements(random: np.random.Generator, slots: int) -> Gram:
    """Any field elements; on the diagonal mostly norms that a bound can allow."""
    triangle = [_element(random) for _ in range(triangle_size(slots))]
    for i in range(slots):
        if random.random() < 0.95:
            triangle[cell(slots, i, i)] = abs(_element(random)) % 2 ** int(random.integers(1, 63))
    return Gram(slots, tuple(triangle))


def _element(random: np.random.Generator) -> int:
    """A field element, signed, of any size."""
    number = int.from_bytes(random.bytes(32), "big") >> int(random.integers(256))
    return from_felt(number % FIELD_MODULUS)


def norm_bound(random: np.random.Generator, matrix: Gram) -> int:
    """N_max: anywhere, or beside a norm of the round, mostly so that the round reaches a quorum."""
    diagonal = sorted(matrix[i, i] for i in range(matrix.slots))
    wanted = (
        LARGEST_BOUND,
        LARGEST_BOUND,
        diagonal[-1],
        diagonal[-1],
        diagonal[-1] - 1,
        diagonal[-1] + 1,
        2 * diagonal[-1],
        diagonal[len(diagonal) // 2],
        int(random.integers(1, LARGEST_BOUND)),
    )
    return min(max(wanted[random.integers(len(wanted))], 1), LARGEST_BOUND)


def _on_the_edge(random: np.random.Generator, rules: Rules, matrix: Gram) -> Gram:
    """Some cells overwritten: the diagonal first, because the other limits depend on it."""
    share = (0.0, 0.05, 0.5)[random.integers(3)]
    slots, triangle = matrix.slots, list(matrix.triangle)
    for i in range(slots):
        if random.random() < share / 4:
            triangle[cell(slots, i, i)] = _pick(random, edges(rules))
    for i in range(slots):
        for j in range(i + 1, slots):
            if random.random() < share:
                a, b = triangle[cell(slots, i, i)], triangle[cell(slots, j, j)]
                triangle[cell(slots, i, j)] = _pick(random, edges(rules, a, b))
    return Gram(slots, tuple(from_felt(entry % FIELD_MODULUS) for entry in triangle))


def _pick(random: np.random.Generator, values: Sequence[int]) -> int:
    return values[int(random.integers(len(values)))]


def felts(matrix: Gram) -> list[int]:
    """The triangle as a proof publishes it."""
    return [to_felt(entry) for entry in matrix.triangle]
