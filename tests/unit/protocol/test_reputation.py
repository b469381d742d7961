"""The score: every way to have more of it than one's work, tried."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from marketplace.protocol.reputation import HALF_LIFE, WHOLE_ROUND, Record, carried, faulted, grown, score

TABLE = Path(__file__).parents[2] / "contracts" / "forge" / "ReputationRegistry.t.sol"
START = 1_700_000_000
LARGEST = 2**64 - 1
FRESH = Record()

times = st.integers(min_value=START, max_value=START + 20 * HALF_LIFE)
contributions = st.integers(min_value=0, max_value=1000 * WHOLE_ROUND)


def now(record: Record, time: int) -> int:
    return score(record.weight, record.updated_at, time)


def test_the_contracts_table() -> None:
    """Each row: kind, time, amount, then the score and the stored weight that follow; one record throughout."""
    rows = re.findall(r"_step\((\d), (\d+), (\d+), (\d+), (\d+)\);", TABLE.read_text(encoding="utf-8"))
    assert len(rows) > 20
    record = FRESH
    for row in rows:
        kind, time, amount, expected, weight = map(int, row)
        if kind == 1:
            record = grown(record, amount, time)
        elif kind == 2:
            record = faulted(record, time)
        assert now(record, time) == expected
        assert carried(record.weight, record.updated_at, time) == weight


@given(times, contributions)
def test_it_grows_by_the_contribution(time: int, contribution: int) -> None:
    record = grown(FRESH, contribution, time)
    assert contribution - 1 <= now(record, time) <= contribution
    assert (record.projects, record.contribution) == (1, contribution)


@given(
    contributions,
    times,
    st.integers(min_value=0, max_value=LARGEST),
    st.integers(min_value=0, max_value=10**8),
)
def test_waiting_never_raises_it(contribution: int, since: int, weight: int, wait: int) -> None:
    assert score(weight, since, since + wait + 1) <= score(weight, since, since + wait)


@given(times, contributions)
def test_it_halves_in_a_half_life(time: int, contribution: int) -> None:
    record = grown(FRESH, contribution, time)
    assert now(record, time) // 2 - now(record, time + HALF_LIFE) in (0, 1)
    assert now(record, time + 64 * HALF_LIFE) == 0


@given(contributions, times, st.lists(st.integers(min_value=0, max_value=HALF_LIFE), max_size=30))
def test_writing_often_does_not_slow_the_decay(contribution: int, time: int, waits: list[int]) -> None:
    poked = left = grown(FRESH, contribution, time)
    for wait in waits:
        time += wait
        poked = grown(poked, 0, time)
    assert now(poked, time) == now(left, time)


@given(st.lists(contributions, min_size=1, max_size=10), times)
def test_sybils_score_no_more_in_sum_than_one(parts: list[int], time: int) -> None:
    one = grown(FRESH, sum(parts), time)
    for later in (time, time + 12_345_678, time + 3 * HALF_LIFE + 7):
        assert sum(now(grown(FRESH, part, time), later) for part in parts) <= now(one, later)


@given(st.lists(contributions, min_size=1, max_size=10), times)
def test_many_small_projects_score_no_more_than_one(parts: list[int], time: int) -> None:
    record = FRESH
    for part in parts:
        record = grown(record, part, time)
    assert now(record, time) <= now(grown(FRESH, sum(parts), time), time)


@given(contributions, times, st.integers(min_value=1, max_value=5))
def test_a_fault_halves_and_a_new_address_is_no_way_out(contribution: int, time: int, faults: int) -> None:
    record = grown(FRESH, contribution, time)
    for _ in range(faults):
        before = now(record, time)
        record = faulted(record, time)
        assert before // 2 - 1 <= now(record, time) <= before // 2
    assert record.faults == faults
    assert now(record, time) >= now(FRESH, time) == 0


@given(
    st.lists(st.tuples(st.booleans(), st.integers(min_value=0, max_value=2**256 - 1)), max_size=20),
    st.integers(min_value=0, max_value=2**40 - 1),
)
def test_numbers_saturate(steps: list[tuple[bool, int]], time: int) -> None:
    record = Record(2**32 - 2, 2**32 - 2, LARGEST - 1, LARGEST - 1, 0)
    for fault, contribution in steps:
        record = faulted(record, time) if fault else grown(record, contribution, time)
        assert max(record.projects, record.faults) < 2**32
        assert record.contribution <= LARGEST
        assert now(record, time) <= record.weight <= LARGEST
