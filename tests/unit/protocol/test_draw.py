"""The draw of seats: a bijection, the contract's own, and nobody's to bend."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.protocol.draw import LARGEST_SIZE, inverse, permute, seat_of

TABLE = Path(__file__).parents[2] / "contracts" / "forge" / "Draw.t.sol"
SEED = bytes(range(32))
seeds = st.binary(min_size=32, max_size=32)
sizes = st.integers(min_value=1, max_value=LARGEST_SIZE)


@settings(max_examples=50, deadline=None)
@given(seeds, st.integers(min_value=1, max_value=300))
def test_bijection(seed: bytes, size: int) -> None:
    assert sorted(permute(seed, i, size) for i in range(size)) == list(range(size))


@settings(deadline=None)
@given(seeds, sizes, st.data())
def test_inverse_undoes_it(seed: bytes, size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    assert inverse(seed, permute(seed, index, size), size) == index
    assert permute(seed, inverse(seed, index, size), size) == index


def test_the_contracts_table() -> None:
    rows = re.findall(r"_same\((\d+), (\d+), (\d+), (\d+)\);", TABLE.read_text(encoding="utf-8"))
    assert len(rows) > 60
    for row in rows:
        seed, size, index, value = map(int, row)
        assert permute(keccak(seed.to_bytes(32, "big")), index, size) == value


@settings(max_examples=50, deadline=None)
@given(seeds, st.integers(min_value=1, max_value=100), st.data())
def test_every_seat_has_its_trainer_and_the_rest_none(seed: bytes, size: int, data: st.DataObject) -> None:
    seats = data.draw(st.integers(min_value=1, max_value=size))
    taken = [seat_of(seed, number, size, seats) for number in range(size)]
    assert sorted(seat for seat in taken if seat is not None) == list(range(seats))
    for number, seat in enumerate(taken):
        assert seat is None or permute(seed, seat, size) == number


@pytest.mark.parametrize(("size", "seats"), [(5, 4), (17, 16), (40, 16)])
def test_seats_fall_alike_on_all_numbers(size: int, seats: int) -> None:
    """Chi-square of how often each number is seated, over fixed seeds: a Sybil cannot pick a lucky number."""
    rounds = 2_000
    seated = [0] * size
    for turn in range(rounds):
        seed = keccak(turn.to_bytes(32, "big"))
        for seat in range(seats):
            seated[permute(seed, seat, size)] += 1
    mean = rounds * seats / size
    # Drawn without replacement, so the variance of a count is mean * (1 - seats / size).
    chi_square = (
        sum((count - mean) ** 2 for count in seated) / (mean * (1 - seats / size)) * (size - 1) / size
    )
    assert chi_square < (size - 1) + 5 * (2 * (size - 1)) ** 0.5


def test_two_sybils_meet_no_more_often_than_by_chance() -> None:
    """Every pair of 12 numbers in the same of 3 cohorts of 4: the chance is 3/11."""
    rounds, size, slots = 2_000, 12, 4
    together = {(a, b): 0 for a in range(size) for b in range(a)}
    for turn in range(rounds):
        seed = keccak(turn.to_bytes(32, "big"))
        cohort = [inverse(seed, number, size) // slots for number in range(size)]
        for a, b in together:
            together[a, b] += cohort[a] == cohort[b]
    chance = 3 / 11
    spread = 5 * (rounds * chance * (1 - chance)) ** 0.5
    assert all(abs(count - rounds * chance) < spread for count in together.values())


@pytest.mark.parametrize(
    ("seed", "index", "size"), [(SEED, 5, 5), (SEED, -1, 5), (SEED, 0, 0), (SEED[:31], 0, 5)]
)
def test_out_of_range_is_refused(seed: bytes, index: int, size: int) -> None:
    with pytest.raises(ValueError, match=r"index|seed"):
        permute(seed, index, size)
    with pytest.raises(ValueError, match=r"index|seed"):
        inverse(seed, index, size)


def test_a_size_beyond_2_to_32_is_refused() -> None:
    with pytest.raises(ValueError, match="size"):
        permute(SEED, 0, LARGEST_SIZE + 1)
