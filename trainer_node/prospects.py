"""What an update may earn, as far as that can be known before the others' updates are (docs/scoring.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isqrt

from marketplace.chain.types import Terms
from marketplace.protocol.field import from_felt
from marketplace.protocol.gram import Gram
from marketplace.protocol.krum import Judgement, Rules, judge
from marketplace.protocol.shares import round_budget

UNKNOWN = (
    "the other trainers' updates: their part of the pot, and whether Krum leaves yours out",
    "the owner's validation set: your held-out rows stand for it here, and may be unlike it",
    "faults that run through all of your data, such as swapped labels: the held-out rows have them too",
)


@dataclass(frozen=True)
class PastRound:
    """The last result that stands: who was merged, and the numbers that a new update would be measured by."""

    round: int
    merged: int  # updates
    reference_norm: int  # of the owner's update; 0: none counted
    median_norm: int
    mean_contribution: float  # of a merged update along the reference


@dataclass(frozen=True)
class Prospects:
    """In the token's smallest unit. `pot`: of a cohort's round, before stakes that others lose.

    `share`: of what the reference pays, for one more update like the trial's among those merged in round `round`; None
    where there was no such round, or the project has no reference.
    """

    pot: int
    merged: int  # updates of a full cohort
    equal_amount: int
    reference_part: float  # of the pot, 0..1
    round: int | None
    share: float | None
    amount: int | None
    says: str
    unknown: tuple[str, ...] = UNKNOWN


def past_round(rules: Rules, gram: Sequence[int], submitted: Sequence[int], round_: int) -> PastRound:
    """From a result's Gram matrix, its upper triangle in field elements. Copies count as if they were none."""
    inputs = rules.slots + int(rules.reference)
    matrix = Gram(inputs, tuple(map(from_felt, gram)))
    judged = judge(
        replace(rules, duplicate_cosine=0),
        matrix,
        submitted,
        range(1, rules.slots + 1),
        reference_present=rules.reference and matrix[rules.slots, rules.slots] > 0,
    )
    return PastRound(
        round=round_,
        merged=len(judged.merged),
        reference_norm=isqrt(matrix[rules.slots, rules.slots]) if judged.by_reference else 0,
        median_norm=isqrt(matrix[judged.median_norm_slot, judged.median_norm_slot]),
        mean_contribution=_mean_along(judged),
    )


def prospects(terms: Terms, agreement: float, norm: float, past: PastRound | None) -> Prospects:
    """`agreement`: cosine with the stand-in for the reference; `norm`: of the integer update."""
    pot = round_budget(terms.reward, terms.rounds, terms.cohorts, terms.aggregator_fee)
    merged = terms.slots - terms.faults
    part = terms.reference_share / 10_000
    share = None
    if norm and past is not None and past.reference_norm and past.merged:
        share = share_beside(past, agreement, norm)
    return Prospects(
        pot=pot,
        merged=merged,
        equal_amount=pot // merged,
        reference_part=part,
        round=past.round if past is not None and share is not None else None,
        share=share,
        amount=None if share is None else int(pot * part * share),
        says=in_words(agreement, norm, share, merged),
    )


def share_beside(past: PastRound, agreement: float, norm: float) -> float:
    """The share, 0..1, of an update that takes the place of an average one among those merged in `past`.

    Its contribution is <q, q_ref> * min(1, nu / |q|) = cosine * |q_ref| * min(|q|, nu), as the contract has it.
    """
    own = max(0.0, agreement) * past.reference_norm * min(norm, past.median_norm)
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
            f"an equal part, 1/{merged} of a pot, if the others' updates agree with the reference as well as yours; "
            "more or less as they agree less or more"
        )
    return f"about {share:.1%} of what the reference pays in a round, beside the updates of the last result"


def _mean_along(judged: Judgement) -> float:
    return sum(judged.reference_contributions) / len(judged.merged) if judged.merged else 0.0
