"""Whether an endpoint may be used: which chain it serves, and how far it is. Pure; `failover` asks the endpoints."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

MOST_BEHIND_S = (
    45  # chain time that a head may be behind the newest one; public endpoints differ by a block or two
)
MOST_AHEAD_S = 900  # of a head before this machine's clock, where another endpoint's head is not


@dataclasses.dataclass(frozen=True)
class Vitals:
    """What an endpoint says of its chain. Hashes are 32 bytes by block number; one that it has not got is left out."""

    chain_id: int
    hashes: Mapping[int, bytes]  # block 0, and the other blocks that were asked for
    head: int
    head_time: int  # seconds, block timestamp


@dataclasses.dataclass(frozen=True)
class Identity:
    """What all endpoints of a chain must say alike. `hashes`: of block 0, and of one that no reorganisation reaches."""

    chain_id: int
    hashes: Mapping[int, bytes]


def foreign(vitals: Vitals, identity: Identity) -> str | None:
    """Why the endpoint serves another chain; None where it serves this one, or has not got that far yet."""
    if vitals.chain_id != identity.chain_id:
        return f"it serves chain {vitals.chain_id}, not {identity.chain_id}"
    for number, wanted in identity.hashes.items():
        found = vitals.hashes.get(number)
        if found is not None and found != wanted:
            return f"its block {number} is another one"
    return None


def behind(vitals: Vitals, mark: int, newest: int) -> str | None:
    """Why the endpoint has not got far enough; None where it has.

    `mark`: the highest block that was read anywhere, so that nothing is read at a block that it has not got;
    `newest`: the time of the newest head among the endpoints.
    """
    if vitals.head < mark:
        return f"it is at block {vitals.head}, and block {mark} has been read already"
    if vitals.head_time + MOST_BEHIND_S < newest:
        return f"its newest block is {newest - vitals.head_time} s older than another endpoint's"
    return None


def newest_time(heads: Sequence[int], now: float) -> int:
    """The newest of several heads' times, but for those far in the future where others are not: they are no heads."""
    credible = [time for time in heads if time <= now + MOST_AHEAD_S]
    return max(credible or heads, default=0)


def is_ahead(head_time: int, heads: Sequence[int], now: float) -> bool:
    """Whether a head is far in the future, while another endpoint's is not."""
    return head_time > now + MOST_AHEAD_S and any(time <= now + MOST_AHEAD_S for time in heads)
