"""The last result in numbers that a new update can be measured by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import isqrt

from marketplace.protocol.field import from_felt
from marketplace.protocol.gram import Gram
from marketplace.protocol.krum import COSINE_SHIFT, Rules, ScoreRule, judge


@dataclass(frozen=True)
class PastRound:
    """The last result that stands: who was merged, and what a new update would be measured by.

    `guide`: what contributions were inner products with, the owner's reference or else the sum of the merged updates.
    """

    round: int
    merged: int  # updates
    by_reference: bool
    by_length: bool  # whether a longer update contributed more, up to the median; not with the cosine rule
    guide_norm: int
    median_norm: int
    mean_contribution: float  # of a merged update along the guide; cosines: in units of its norm
    mean_cosine: float  # of a merged update and the guide
    reliability: (
        float  # of a merged update: the root of their mean cosine with each other (`Agreement.reliability`)
    )


def past_round(rules: Rules, gram: Sequence[int], submitted: Sequence[int], round_: int) -> PastRound:
    """From a result's Gram matrix, its upper triangle in field elements. Copies count as if they were none."""
    matrix = Gram(rules.slots + int(rules.reference), tuple(map(from_felt, gram)))
    judged = judge(
        replace(rules, duplicate_cosine=0),
        matrix,
        submitted,
        range(1, rules.slots + 1),
        reference_present=rules.reference and matrix[rules.slots, rules.slots] > 0,
    )
    merged, owner = judged.merged, rules.slots
    if judged.by_reference:
        along, square = judged.reference_contributions, matrix[owner, owner]
        with_guide = [matrix[i, owner] for i in merged]
    else:
        along, square = judged.contributions, sum(matrix[i, j] for i in merged for j in merged)
        with_guide = [sum(matrix[i, j] for j in merged) for i in merged]
    by_length = judged.by_reference or rules.score_rule is not ScoreRule.COSINE
    squares = [matrix[i, i] for i in merged]
    each_other = [_cosine(matrix[i, j], matrix[i, i], matrix[j, j]) for i, j in combinations(merged, 2)]
    return PastRound(
        round=round_,
        merged=len(merged),
        by_reference=judged.by_reference,
        by_length=by_length,
        guide_norm=isqrt(max(0, square)),
        median_norm=isqrt(matrix[judged.median_norm_slot, judged.median_norm_slot]),
        mean_contribution=_mean([along[i] / (1 if by_length else 1 << COSINE_SHIFT) for i in merged]),
        mean_cosine=_mean(
            [_cosine(inner, own, square) for inner, own in zip(with_guide, squares, strict=True)]
        ),
        reliability=math.sqrt(max(0.0, _mean(each_other))),
    )


def _cosine(inner: int, square: int, other_square: int) -> float:
    norms = math.sqrt(square) * math.sqrt(max(0, other_square))
    return inner / norms if norms else 0.0


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else 0.0
