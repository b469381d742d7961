"""Who sits where in a round: trainers' numbers drawn into seats, cohort * K + slot (contracts/libraries/Rounds.sol)."""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from marketplace.chain.client import MarketClient
from marketplace.chain.types import NATIVE_COIN, Address, Project
from marketplace.protocol.draw import permute, seat_of


@dataclass(frozen=True)
class Seat:
    """A place in a round."""

    index: int  # cohort * K + slot: what `submit` takes
    cohort: int
    slot: int


def round_seed(seed: bytes, round_: int) -> bytes:
    """The seed of a round's draw, 32 bytes, from the project's."""
    return bytes(keccak(encode(["bytes32", "uint256"], [seed, round_])))


def seat_in_round(state: Project, slots: int, round_: int, number: int) -> Seat | None:
    """Where the trainer `number` sits in a round; None where it was not drawn. `slots`: K."""
    seats = state.cohorts * slots
    if state.drawn:
        index = seat_of(round_seed(state.seed, round_), number, state.drawn_from, seats)
    else:
        index = number if number < min(seats, state.drawn_from) else None
    return None if index is None else Seat(index, index // slots, index % slots)


def number_in_seat(state: Project, round_: int, seat: int) -> int | None:
    """The number of the trainer in a seat; None where it is empty. Who left leaves the seat empty on chain, too."""
    if seat >= state.drawn_from:
        return None
    return permute(round_seed(state.seed, round_), seat, state.drawn_from) if state.drawn else seat


def cohort_numbers(state: Project, slots: int, round_: int, cohort: int) -> tuple[int | None, ...]:
    """The trainers' numbers by slot of a cohort."""
    return tuple(number_in_seat(state, round_, cohort * slots + slot) for slot in range(slots))


def cohort_trainers(
    client: MarketClient, project: int, state: Project, slots: int, round_: int, cohort: int
) -> tuple[Address | None, ...]:
    """The trainers' addresses by slot of a cohort; None where nobody sits, or the trainer has left.

    `state`: the project's, once it is active.
    """
    numbers = cohort_numbers(state, slots, round_, cohort)
    holders = [None if number is None else client.trainer(project, number).holder for number in numbers]
    return tuple(None if holder == NATIVE_COIN else holder for holder in holders)
