"""From contributions to amounts, in the token's smallest unit (docs/protocol.md, "From G to pay", 10)."""

from __future__ import annotations

from marketplace.protocol.krum import Judgement

SHARE_UNIT = 1_000_000
BASIS_POINTS = 10_000


def amounts(judgement: Judgement, pot: int, reference_share: int) -> tuple[int, ...]:
    """What each slot gets of `pot`; what is rounded off, or has nobody to go to, is not given.

    `reference_share`: basis points that go by the reference, where it counts.
    """
    along = pot * reference_share // BASIS_POINTS if judgement.by_reference else 0
    rest, by_rule = pot - along, judgement.contributions
    return tuple(
        _part(rest, contribution, sum(by_rule))
        + _part(along, judgement.reference_contributions[slot], sum(judgement.reference_contributions))
        for slot, contribution in enumerate(by_rule)
    )


def contribution_units(earned: int, rounds: int, reward: int) -> int:
    """Millionths of a whole round that a trainer's earnings stand for: what reputation counts."""
    return earned * rounds * SHARE_UNIT // reward


def divisor(cohorts: int, slots: int, faults: int) -> int:
    """m: the server's step is the plain sum of the merged updates, each a part of this many."""
    return cohorts * (slots - faults)


def round_budget(reward: int, rounds: int, cohorts: int, aggregator_fee: int) -> int:
    """What a cohort's round pays to its trainers before slashed stakes are added."""
    return reward // rounds // cohorts - aggregator_fee


def strike_loss(stake_left: int, stake: int, strike_slash: int) -> int:
    """What a strike takes of a trainer's stake; `strike_slash` in basis points of the whole stake."""
    return min(stake_left, stake * strike_slash // BASIS_POINTS)


def _part(pot: int, contribution: int, total: int) -> int:
    return pot * contribution // total if total else 0
