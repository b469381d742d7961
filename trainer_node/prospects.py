"""What an update may earn, as far as that can be known before the others' updates are (docs/scoring.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isqrt

from marketplace.chain.types import Terms
from marketplace.protocol.field import from_felt
from marketplace.protocol.gram import Gram
from marketplace.protocol.krum import COSINE_SHIFT, Rules, ScoreRule, judge
from marketplace.protocol.shares import BASIS_POINTS, round_budget

UNKNOWN = (
    "the other trainers' updates: their part of the pot, and whether Krum leaves yours out",
    "the owner's validation set: your held-out rows stand for it here, and may be unlike it",
    "faults that run through all of your data, such as swapped labels: the held-out rows have them too",
)


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


@dataclass(frozen=True)
class Prospects:
    """In the token's smallest unit. `pot`: of a cohort's round, before stakes that others lose.

    `share`: of `part` of a pot, for one more update like the trial's among those merged in round `round`; None where
    there was no such round.
    """

    pot: int
    merged: int  # updates of a full cohort
    equal_amount: int
    part: float  # of the pot, 0..1, that is paid by `paid_by`
    paid_by: str
    round: int | None
    share: float | None
    amount: int | None
    says: str
    unknown: tuple[str, ...] = UNKNOWN


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
    along = judged.reference_contributions if judged.by_reference else judged.contributions
    by_length = judged.by_reference or rules.score_rule is not ScoreRule.COSINE
    unit = 1 if by_length else 1 << COSINE_SHIFT
    if judged.by_reference:
        square = matrix[rules.slots, rules.slots]
    else:
        square = sum(matrix[i, j] for i in judged.merged for j in judged.merged)
    return PastRound(
        round=round_,
        merged=len(judged.merged),
        by_reference=judged.by_reference,
        by_length=by_length,
        guide_norm=isqrt(max(0, square)),
        median_norm=isqrt(matrix[judged.median_norm_slot, judged.median_norm_slot]),
        mean_contribution=sum(along) / unit / len(judged.merged) if judged.merged else 0.0,
    )


def prospects(terms: Terms, agreement: float, norm: float, past: PastRound | None) -> Prospects:
    """`agreement`: cosine with the stand-in for the guide; `norm`: of the integer update."""
    pot = round_budget(terms.reward, terms.rounds, terms.cohorts, terms.aggregator_fee)
    merged = terms.slots - terms.faults
    by_reference = terms.score_rule is ScoreRule.REFERENCE if past is None else past.by_reference
    part = terms.reference_share / BASIS_POINTS if by_reference else 1.0
    share = share_beside(past, agreement, norm) if past is not None and past.merged else None
    return Prospects(
        pot=pot,
        merged=merged,
        equal_amount=pot // merged,
        part=part,
        paid_by="agreement with the owner's reference"
        if by_reference
        else "agreement with the other updates",
        round=past.round if past is not None and share is not None else None,
        share=share,
        amount=None if share is None else int(pot * part * share),
        says=in_words(agreement, norm, share, merged),
    )


def share_beside(past: PastRound, agreement: float, norm: float) -> float:
    """The share, 0..1, of an update that takes the place of an average one among those merged in `past`.

    As the contract has it, its contribution is <q, v> * min(1, nu / |q|) = cosine * |v| * min(|q|, nu), v the guide, nu
    the median norm; with the cosine rule cosine * |v|.
    """
    length = min(norm, past.median_norm) if past.by_length else float(norm > 0)
    own = max(0.0, agreement) * past.guide_norm * length
    total = own + (past.merged - 1) * past.mean_contribution
    return own / total if total else 0.0


def in_words(agreement: float, norm: float, share: float | None, merged: int) -> str:
    """What is likely; `merged`: updates of a full cohort."""
    if not norm:
        return "nothing: the update rounds to zero at this project's scale, and the node will refuse to submit it"
    if agreement <= 0:
        return "probably nothing: your rows do not even agree with each other on where the model should go"
    if share is None:
        return (
            f"an equal part, 1/{merged} of a pot, if the others' updates agree with what is paid for as well as yours; "
            "more or less as they agree less or more"
        )
    return f"about {share:.1%} of that part of a pot, beside the updates of the last result"
