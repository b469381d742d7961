from __future__ import annotations

from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from marketplace.chain.types import Project
from marketplace.node.seats import Seat, cohort_numbers, number_in_seat, round_seed, seat_in_round
from tests.support.structs import blank

SLOTS = 5
seeds = st.binary(min_size=32, max_size=32)


@given(seeds, st.integers(1, 3), st.integers(1, 40), st.integers(1, 9))
def test_everybody_knows_their_seat(seed: bytes, cohorts: int, trainers: int, round_: int) -> None:
    state = blank(Project, drawn=True, seed=seed, cohorts=cohorts, drawn_from=trainers)
    by_trainer = {number: seat_in_round(state, SLOTS, round_, number) for number in range(trainers)}
    by_seat = {
        cohort * SLOTS + slot: number
        for cohort in range(cohorts)
        for slot, number in enumerate(cohort_numbers(state, SLOTS, round_, cohort))
    }
    assert {seat.index: number for number, seat in by_trainer.items() if seat is not None} == {
        seat: number for seat, number in by_seat.items() if number is not None
    }
    assert sum(number is not None for number in by_seat.values()) == min(trainers, cohorts * SLOTS)


def test_without_a_draw_a_trainers_number_is_its_seat() -> None:
    state = blank(Project, drawn=False, cohorts=1, drawn_from=4)
    assert [seat_in_round(state, SLOTS, 7, number) for number in range(4)] == [
        Seat(number, 0, number) for number in range(4)
    ]
    assert cohort_numbers(state, SLOTS, 7, 0) == (0, 1, 2, 3, None)
    assert number_in_seat(state, 7, 4) is None


@given(seeds, st.integers(1, 2**16 - 1))
def test_a_rounds_seed_is_the_contracts(seed: bytes, round_: int) -> None:
    assert round_seed(seed, round_) == keccak(encode(["bytes32", "uint256"], [seed, round_]))
