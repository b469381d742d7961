"""What an aggregator claims of a round, altered claims, and which of them the rules allow."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from math import isqrt

import numpy as np

from marketplace.chain.reverts import Revert
from marketplace.protocol.krum import Judgement, distance, mask, members
from tests.differential.rounds import Round


@dataclasses.dataclass(frozen=True)
class Claims:
    """As the contract takes them: masks and slots."""

    merged: int
    median_score_slot: int
    median_norm_slot: int
    neighbours: tuple[int, ...]


def honest_claims(judgement: Judgement) -> Claims:
    """What the rules give."""
    return Claims(
        mask(judgement.merged),
        judgement.median_score_slot,
        judgement.median_norm_slot,
        tuple(mask(near) for near in judgement.neighbours),
    )


def altered_claims(random: np.random.Generator, round_: Round, honest: Claims) -> Iterator[Claims]:
    """One claim altered at a time: each of the four once, and one slot exchanged where that is possible."""
    slots = round_.rules.slots
    slot = int(random.integers(slots))
    yield _with_neighbours(honest, slot, _altered(random, honest.neighbours[slot], slots))
    yield _with_neighbours(honest, slot, _exchanged(random, honest.neighbours[slot], slots))
    yield dataclasses.replace(honest, merged=_altered(random, honest.merged, slots))
    yield dataclasses.replace(honest, merged=_exchanged(random, honest.merged, slots))
    other = int(random.choice([*range(slots), slots, 255]))
    yield dataclasses.replace(honest, median_score_slot=other)
    yield dataclasses.replace(honest, median_norm_slot=other)


def refusal(round_: Round, judgement: Judgement, claims: Claims) -> Revert | None:
    """How claims that differ from the honest ones in one field must be refused; None where they are equal by rule."""
    for slot, claimed in enumerate(claims.neighbours):
        if not _allowed_neighbours(round_, judgement, slot, claimed):
            return Revert("WrongNeighbours", {"slot": slot, "claimed": claimed})
    if claims.merged != mask(judgement.merged):
        return Revert("WrongMerged", {"claimed": claims.merged})
    if not judgement.merged:  # no quorum: nothing has a median
        return None
    if not _is_median(judgement, judgement.scores, claims.median_score_slot, judgement.median_score_slot):
        return Revert("WrongMedianScore", {"slot": claims.median_score_slot})
    norms = [isqrt(max(round_.gram[i, i], 0)) for i in range(round_.rules.slots)]
    if not _is_median(judgement, norms, claims.median_norm_slot, judgement.median_norm_slot):
        return Revert("WrongMedianNorm", {"slot": claims.median_norm_slot})
    return None


def _allowed_neighbours(round_: Round, judgement: Judgement, slot: int, claimed: int) -> bool:
    """Any set of the right size with the smallest sum of distances will do."""
    honest = judgement.neighbours[slot]
    named = members(claimed)
    if len(named) != len(honest) or not set(named) <= set(judgement.present) - {slot}:
        return False
    return sum(distance(round_.gram, slot, j) for j in named) == judgement.scores[slot]


def _is_median(judgement: Judgement, values: tuple[int, ...] | list[int], claimed: int, honest: int) -> bool:
    return claimed in judgement.present and values[claimed] == values[honest]


def _with_neighbours(claims: Claims, slot: int, neighbours: int) -> Claims:
    changed = list(claims.neighbours)
    changed[slot] = neighbours
    return dataclasses.replace(claims, neighbours=tuple(changed))


def _altered(random: np.random.Generator, bits: int, slots: int) -> int:
    """One slot more or less, or any mask at all."""
    if random.random() < 0.5:
        return bits ^ 1 << int(random.integers(slots))
    return int(random.integers(2**16))


def _exchanged(random: np.random.Generator, bits: int, slots: int) -> int:
    """One slot exchanged for another."""
    inside = members(bits)
    outside = [slot for slot in range(slots) if slot not in inside]
    if not inside or not outside:
        return bits ^ 1
    return bits ^ 1 << int(random.choice(inside)) ^ 1 << int(random.choice(outside))
