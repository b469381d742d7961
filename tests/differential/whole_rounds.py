"""Whole rounds by seed, from the updates on: the shapes in turn, everything else drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketplace.protocol.gram import gram
from marketplace.protocol.krum import Rules, ScoreRule
from tests.differential.rounds import DUPLICATE_COSINES, SHAPES, STRIKE_FACTORS, Round, norm_bound
from zk.shape import MAX_SLOTS, CircuitShape

Update = NDArray[np.int16]

LOWEST, HIGHEST = -(2**15), 2**15 - 1
LONGEST = 64
KINDS = [
    (slots, faults, reference)
    for slots, faults in SHAPES
    for reference in (False, True)
    if slots + reference <= MAX_SLOTS
]
FAMILIES = (
    "common direction",
    "few values",
    "extremes",
    "all equal",
    "zeros",
    "any",
    "parallel",
    "some far too long",
)


@dataclass(frozen=True)
class WholeRound:
    """A round and the updates behind its G, one a circuit's input, None where absent.

    `pot` in the token's unit; `share`: basis points of it that go by the reference. `family` says how the updates were
    drawn.
    """

    seed: int
    family: str
    rows: tuple[Update | None, ...]
    round: Round
    pot: int
    share: int

    @property
    def shape(self) -> CircuitShape:
        """Of the circuit that takes these updates."""
        length = next((row.size for row in self.rows if row is not None), 1)
        return CircuitShape(len(self.rows), length)


def whole_round(seed: int, length: int | None = None) -> WholeRound:
    """The round of a seed; seeds 0 to len(KINDS) - 1 have every shape once. `length`: d, or drawn up to LONGEST."""
    random = np.random.default_rng(seed)
    slots, faults, reference = KINDS[seed % len(KINDS)]
    length = length or int(random.choice([1, 2, 3, int(random.integers(4, LONGEST)), LONGEST]))
    family = FAMILIES[int(random.integers(len(FAMILIES)))]
    updates = _updates(random, family, slots + reference, length)
    everybody = random.random() < 0.5
    here = [everybody or random.random() < 0.9 for _ in range(slots)]
    reference_present = reference and random.random() < 0.8
    rows = [row if there else None for row, there in zip(updates, [*here, reference_present], strict=False)]
    submitted = [slot for slot in range(slots) if here[slot]]
    if not any(row is not None for row in rows):  # somebody has to say how long an update is
        rows[0], submitted = updates[0], [0]
    matrix = gram(rows)
    rules = Rules(
        slots=slots,
        faults=faults,
        max_norm_squared=norm_bound(random, matrix),
        score_rule=ScoreRule(int(random.integers(2))),
        reference=reference,
        reference_share=int(random.choice([1, 4_000, 8_000, 10_000])) if reference else 0,
        strike_factor=int(random.choice(STRIKE_FACTORS)),
        duplicate_cosine=int(random.choice(DUPLICATE_COSINES)),
    )
    order = [submitted[index] for index in random.permutation(len(submitted))]
    positions = tuple(order.index(slot) + 1 if slot in order else 0 for slot in range(slots))
    judged = Round(rules, matrix, tuple(submitted), reference_present, positions)
    pot = int.from_bytes(random.bytes(12), "big") >> int(random.integers(96))
    return WholeRound(seed, family, tuple(rows), judged, pot, rules.reference_share)


def _updates(random: np.random.Generator, family: str, count: int, length: int) -> list[Update]:
    match family:
        case "common direction":
            size = 2.0 ** random.integers(1, 14)
            rows = random.normal(0, size, length) + random.normal(0, size / 4, (count, length))
            rows[random.random(count) < 0.15] *= -2
            rows[random.random(count) < 0.2] = rows[0]
        case "few values":
            rows = random.integers(-1, 2, (count, length)).astype(float)
        case "extremes":
            rows = random.choice([float(LOWEST), LOWEST + 1.0, 0.0, float(HIGHEST)], (count, length))
        case "all equal":
            rows = np.repeat(random.integers(LOWEST, HIGHEST, (1, length)), count, axis=0).astype(float)
        case "zeros":
            rows = np.zeros((count, length))
            rows[random.random(count) < 0.1] = 1
        case "any":
            rows = random.integers(LOWEST, HIGHEST, (count, length), endpoint=True).astype(float)
        case "parallel":
            rows = np.outer(random.integers(-4, 5, count), random.integers(-8_000, 8_000, length)).astype(
                float
            )
        case _:
            rows = random.normal(0, 50, (count, length))
            rows[random.random(count) < 0.2] *= 400
    clipped = np.clip(np.rint(rows), LOWEST, HIGHEST).astype(np.int16)
    return list(clipped)
