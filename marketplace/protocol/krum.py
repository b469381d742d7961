"""From G to who is merged, who is struck and who contributed what (docs/protocol.md, "From G to pay").

Multi-Krum after Blanchard et al., "Machine Learning with Adversaries" (NeurIPS 2017), with squared distances.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import combinations
from math import isqrt

from marketplace.errors import FairshareError, Reason
from marketplace.protocol.gram import Gram

COSINE_SHIFT = 32
BASIS_POINTS = 10_000


class ScoreRule(IntEnum):
    """How a merged update's contribution is measured; the numbers are the contract's."""

    PROJECTION = 0
    COSINE = 1
    REFERENCE = 2


@dataclass(frozen=True)
class Rules:
    """What a project's terms say about judging a round."""

    slots: int
    faults: int
    max_norm_squared: int
    score_rule: ScoreRule = ScoreRule.PROJECTION  # the project's, or its fallback where that is `reference`
    reference: bool = False  # the project's rule is `reference`: G has a row more, the owner's
    reference_share: int = 0  # basis points of a pot that go by the reference
    strike_factor: int = 0  # hundredths of the median Krum score; 0: no strikes by score
    duplicate_cosine: int = 0  # basis points; 0: no near-duplicate rule

    @property
    def quorum(self) -> int:
        """Fewest updates with which a round is merged."""
        return quorum(self.slots, self.faults)


@dataclass(frozen=True)
class Judgement:
    """The outcome of a round. `scores`, `contributions` are by slot, 0 where a slot has none."""

    present: tuple[int, ...]
    oversized: tuple[int, ...]
    merged: tuple[int, ...]
    struck: tuple[int, ...]
    scores: tuple[int, ...]
    contributions: tuple[int, ...]
    reference_contributions: tuple[int, ...]
    by_reference: bool
    neighbours: tuple[tuple[int, ...], ...]
    median_score_slot: int
    median_norm_slot: int


class FarPair(FairshareError):
    """Two inputs of a G whose inner product no vectors of int16 within the norm bound have; the contract refuses it."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(
            Reason.INTEGRITY,
            f"the inner product of inputs {first} and {second} is not that of int16 vectors within the norm bound",
        )
        self.pair = (first, second)


def quorum(slots: int, faults: int) -> int:
    """max(K - f, 2f + 3)."""
    return max(slots - faults, 2 * faults + 3)


def mask(members: Iterable[int]) -> int:
    """Bit mask of slots."""
    return sum(1 << slot for slot in members)


def members(bits: int) -> tuple[int, ...]:
    """Slots of a bit mask, ascending."""
    return tuple(slot for slot in range(bits.bit_length()) if bits >> slot & 1)


def judge(
    rules: Rules,
    gram: Gram,
    submitted: Iterable[int],
    positions: Sequence[int],
    *,
    reference_present: bool = False,
) -> Judgement:
    """Judge a cohort's round from its Gram matrix.

    `submitted`: slots with an update in the proof; `positions`: by slot, the order of submission from 1;
    `reference_present`: whether G's last row is the owner's reference. Raises FarPair.
    """
    judged = sorted(set(submitted))
    oversized = tuple(i for i in judged if not 0 <= gram[i, i] <= rules.max_norm_squared)
    present = tuple(i for i in judged if i not in oversized)
    none = (0,) * rules.slots
    if len(present) < rules.quorum:
        return Judgement(
            present, oversized, (), oversized, none, none, none, False, ((),) * rules.slots, 0, 0
        )

    by_reference = reference_present and _counts(rules, gram)
    _refuse_far(rules, gram, present, by_reference)
    neighbours = [_nearest(rules, gram, i, present) if i in present else () for i in range(rules.slots)]
    scores = [sum(distance(gram, i, j) for j in near) for i, near in enumerate(neighbours)]
    by_score = sorted(present, key=lambda i: (scores[i], i))
    merged = tuple(sorted(by_score[: len(present) - rules.faults]))
    median_score_slot = by_score[(len(present) - 1) // 2]
    norms = [isqrt(gram[i, i]) if i in present else 0 for i in range(rules.slots)]
    median_norm_slot = sorted(present, key=lambda i: (norms[i], i))[(len(present) - 1) // 2]

    limit = rules.strike_factor * scores[median_score_slot]
    struck = {i for i in present if rules.strike_factor and scores[i] * 100 > limit} | set(oversized)
    copies = _duplicates(rules, gram, present, positions)
    contributions = [
        contribution(rules, gram, i, merged, norms[i], norms[median_norm_slot])
        if i in merged and i not in copies
        else 0
        for i in range(rules.slots)
    ]
    along = [
        reference_contribution(rules, gram, i, norms[i], norms[median_norm_slot])
        if by_reference and i in merged and i not in copies
        else 0
        for i in range(rules.slots)
    ]
    return Judgement(
        present,
        oversized,
        merged,
        tuple(sorted(struck)),
        tuple(scores),
        tuple(contributions),
        tuple(along),
        by_reference,
        tuple(neighbours),
        median_score_slot,
        median_norm_slot,
    )


def near(rules: Rules, gram: Gram, i: int, j: int) -> bool:
    """Whether G_ij is possible for two vectors within the norm bound (Cauchy-Schwarz); else the pair is far."""
    inner = gram[i, j]
    return abs(inner) <= rules.max_norm_squared and inner * inner <= gram[i, i] * gram[j, j]


def distance(gram: Gram, i: int, j: int) -> int:
    """Squared distance of two present updates."""
    return gram[i, i] + gram[j, j] - 2 * gram[i, j]


def contribution(
    rules: Rules, gram: Gram, slot: int, merged: Iterable[int], norm: int, median_norm: int
) -> int:
    """Contribution of a merged slot by the project's score rule."""
    dot = sum(gram[slot, j] for j in merged)
    if norm == 0 or dot <= 0:
        return 0
    if rules.score_rule is ScoreRule.COSINE:
        return (dot << COSINE_SHIFT) // norm
    return dot * min(norm, median_norm) // norm


def reference_contribution(rules: Rules, gram: Gram, slot: int, norm: int, median_norm: int) -> int:
    """Contribution of a merged slot along the owner's reference, with the norm cap of `projection`.

    First order of what the step gains on the owner's validation loss: in-run data Shapley (Wang et al. 2024).
    """
    dot = gram[slot, rules.slots]
    if norm == 0 or dot <= 0:
        return 0
    return dot * min(norm, median_norm) // norm


def _counts(rules: Rules, gram: Gram) -> bool:
    """An owner's update beyond the bound, or of nothing, is no reference."""
    return rules.reference and 0 < gram[rules.slots, rules.slots] <= rules.max_norm_squared


def _refuse_far(rules: Rules, gram: Gram, present: Sequence[int], by_reference: bool) -> None:
    """Of several pairs it names the contract's: the first of two updates, else the first with the reference."""
    pairs = [*combinations(present, 2), *((i, rules.slots) for i in present if by_reference)]
    for i, j in pairs:
        if not near(rules, gram, i, j):
            raise FarPair(i, j)


def _nearest(rules: Rules, gram: Gram, slot: int, present: Sequence[int]) -> tuple[int, ...]:
    others = sorted((j for j in present if j != slot), key=lambda j: (distance(gram, slot, j), j))
    return tuple(sorted(others[: len(present) - rules.faults - 2]))


def _duplicates(rules: Rules, gram: Gram, present: Sequence[int], positions: Sequence[int]) -> set[int]:
    """Slots whose update is nearly another's that was submitted earlier."""
    if not rules.duplicate_cosine:
        return set()
    bound = rules.duplicate_cosine**2
    return {
        j
        for i in present
        for j in present
        if positions[i] < positions[j]
        and gram[i, j] > 0
        and (gram[i, j] * BASIS_POINTS) ** 2 >= bound * gram[i, i] * gram[j, j]
    }
