"""From contributions to amounts, in the token's smallest unit (docs/protocol.md, "From G to pay", 10)."""

from __future__ import annotations

from collections.abc import Sequence

SHARE_UNIT = 1_000_000
BASIS_POINTS = 10_000


def amounts(contributions: Sequence[int], pot: int) -> tuple[int, ...]:
    """pot * c_i // sum(c) by slot; all zero where nothing was contributed."""
    total = sum(contributions)
    return tuple(pot * c // total if total else 0 for c in contributions)


def shares(contributions: Sequence[int]) -> tuple[int, ...]:
    """Shares in millionths, rounded down: what reputation counts."""
    return amounts(contributions, SHARE_UNIT)


def round_budget(reward: int, rounds: int, aggregator_fee: int) -> int:
    """What a round pays to its trainers before slashed stakes are added."""
    return reward // rounds - aggregator_fee


def strike_loss(stake_left: int, stake: int, strike_slash: int) -> int:
    """What a strike takes of a trainer's stake; `strike_slash` in basis points of the whole stake."""
    return min(stake_left, stake * strike_slash // BASIS_POINTS)
