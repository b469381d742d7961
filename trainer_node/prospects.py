"""What an update may earn, as far as that can be known before the others' updates are (docs/scoring.md)."""

from __future__ import annotations

from dataclasses import dataclass

from marketplace.chain.types import Settlement, Terms
from marketplace.protocol.krum import ScoreRule
from marketplace.protocol.shares import BASIS_POINTS, round_budget
from trainer_node.agreement import Agreement
from trainer_node.past_round import PastRound

UNKNOWN = (
    "the other trainers' updates: their part of the pot, and whether Krum leaves yours out",
    "the owner's validation set: your held-out rows stand for it here, and may be unlike it",
    "faults that run through all of your data, such as swapped labels: the held-out rows have them too",
)


@dataclass(frozen=True)
class Prospects:
    """In the token's smallest unit. `pot`: of a cohort's round, before stakes that others lose.

    `share`: of `part` of a pot, for one more update like the trial's among those merged in round `round`; None where
    there was no such round. `strike_cost`: of the stake, in each round in which an update's Krum score is above
    `strike_factor` hundredths of the median.
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
    stake: int
    strike_factor: int
    strike_cost: int
    unknown: tuple[str, ...] = UNKNOWN


def prospects(terms: Terms, agreement: Agreement, rows: int, past: PastRound | None) -> Prospects:
    """`agreement`: of parts of the data, at the model that `past` began with, or the current one; `rows`: of all."""
    pot = round_budget(terms.reward, terms.rounds, terms.cohorts, terms.aggregator_fee)
    merged = terms.slots - terms.faults
    by_reference = terms.score_rule is ScoreRule.REFERENCE if past is None else past.by_reference
    part = terms.reference_share / BASIS_POINTS if by_reference else 1.0
    share = None
    if past is not None and past.merged:
        cosine = expected_cosine(past, agreement.reliability(rows), agreement.norm)
        share = share_beside(past, cosine, agreement.norm)
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
        says=in_words(agreement.cosine, agreement.norm, share, merged),
        stake=terms.trainer_stake,
        strike_factor=terms.strike_factor,
        strike_cost=strike_cost(terms),
    )


def strike_cost(terms: Terms) -> int:
    """What a high Krum score takes of a trainer's stake: nothing on the sketch path, nor where no result is proved."""
    if not terms.strike_factor or terms.chunks or terms.settlement is not Settlement.PROVED:
        return 0
    return terms.trainer_stake * terms.strike_slash // BASIS_POINTS


def expected_cosine(past: PastRound, reliability: float, norm: float) -> float:
    """Of an update of this reliability and norm, and the guide.

    With the reference it is the others', in proportion. The sum of the merged updates has the update itself in it.
    """
    if not past.reliability or not past.guide_norm or not norm:
        return 0.0
    if past.by_reference:
        return min(1.0, max(0.0, past.mean_cosine) * reliability / past.reliability)
    with_others = (past.merged - 1) * reliability * past.reliability * past.median_norm
    return min(1.0, (norm + with_others) / past.guide_norm)


def share_beside(past: PastRound, cosine: float, norm: float) -> float:
    """The share, 0..1, of an update that takes the place of an average one among those merged in `past`.

    `cosine`: of it and the guide; `norm`: its own, as an integer vector. As the contract has it, its contribution is
    <q, v> * min(1, nu / |q|) = cosine * |v| * min(|q|, nu), v the guide, nu the median norm; with the cosine rule
    cosine * |v|.
    """
    length = min(norm, past.median_norm) if past.by_length else float(norm > 0)
    own = max(0.0, cosine) * past.guide_norm * length
    total = own + (past.merged - 1) * past.mean_contribution
    return own / total if total else 0.0


def in_words(agreement: float, norm: float, share: float | None, merged: int) -> str:
    """What is likely; `merged`: updates of a full cohort."""
    if not norm:
        return "nothing: the update rounds to zero at this project's scale, and the node will refuse to submit it"
    if agreement <= 0:
        return "probably little or nothing: your rows do not even agree with each other on where the model should go"
    if share is None:
        return (
            f"an equal part, 1/{merged} of a pot, if the others' updates agree with what is paid for as well as yours; "
            "more or less as they agree less or more"
        )
    return f"about {share:.1%} of that part of a pot, beside the updates of the last result"
