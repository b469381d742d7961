"""The score of a track record, in integers. Twin: contracts/libraries/Reputation.sol, which says why it is so.

With H the half-life and g(t) = 2^n * (1 + r / H) at t = n * H + r, a record's weight is the sum of its contributions
times g of their times, divided by 2^n of its last write; the score at t is weight / g(t). Unit: millionths of a round.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

HALF_LIFE = 180 * 24 * 60 * 60
WHOLE_ROUND = 1_000_000
_UINT32 = 2**32 - 1
_UINT64 = 2**64 - 1


@dataclass(frozen=True)
class Record:
    """An address's record in one role, as the registry stores it; times in seconds, numbers saturate."""

    projects: int = 0
    faults: int = 0
    contribution: int = 0
    weight: int = 0
    updated_at: int = 0


def score(weight: int, since: int, time: int) -> int:
    """The score that a weight written at `since` has at `time`, not earlier; rounded down."""
    return carried(weight, since, time) * HALF_LIFE // (HALF_LIFE + time % HALF_LIFE)


def carried(weight: int, since: int, time: int) -> int:
    """A weight of time `since` as of `time`: halved for each multiple of the half-life in between."""
    return weight >> (time // HALF_LIFE - since // HALF_LIFE)


def grown(record: Record, contribution: int, time: int) -> Record:
    """A project's contribution added at `time`."""
    part = min(contribution, _UINT64)
    weight = (
        carried(record.weight, record.updated_at, time) + part * (HALF_LIFE + time % HALF_LIFE) // HALF_LIFE
    )
    return Record(
        projects=min(record.projects + 1, _UINT32),
        faults=record.faults,
        contribution=min(record.contribution + part, _UINT64),
        weight=min(weight, _UINT64),
        updated_at=time,
    )


def faulted(record: Record, time: int) -> Record:
    """A fault at `time`: half of the score is gone."""
    return replace(
        record,
        faults=min(record.faults + 1, _UINT32),
        weight=carried(record.weight, record.updated_at, time) // 2,
        updated_at=time,
    )
