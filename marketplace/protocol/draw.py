"""Who sits where in a round: a seeded permutation, one index at a time. Twin: contracts/libraries/Draw.sol.

Feistel rounds over pairs of numbers below ceil(sqrt(size)), walking on while a pair's number is not below size
(Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002).
"""

from __future__ import annotations

from math import isqrt

from eth_utils.crypto import keccak

ROUNDS = 6
LARGEST_SIZE = 2**32


def permute(seed: bytes, index: int, size: int) -> int:
    """Where `index` goes; a bijection of range(size) for each seed of 32 bytes. ValueError where out of range."""
    side = _side(seed, index, size)
    while True:
        left, right = divmod(index, side)
        for turn in range(ROUNDS):
            left, right = right, (left + _mix(seed, right, turn, side)) % side
        index = left * side + right
        if index < size:
            return index


def inverse(seed: bytes, value: int, size: int) -> int:
    """The index with permute(seed, index, size) == value."""
    side = _side(seed, value, size)
    while True:
        left, right = divmod(value, side)
        for turn in reversed(range(ROUNDS)):
            left, right = (right - _mix(seed, left, turn, side)) % side, left
        value = left * side + right
        if value < size:
            return value


def seat_of(seed: bytes, number: int, size: int, seats: int) -> int | None:
    """The seat below `seats` that trainer `number` of `size` has under a round's seed; None where it has none.

    `seed` is the round's: keccak256(abi.encode(the project's seed, round)).
    """
    seat = inverse(seed, number, size)
    return seat if seat < seats else None


def _side(seed: bytes, index: int, size: int) -> int:
    if len(seed) != 32:
        raise ValueError(f"a seed has 32 bytes, not {len(seed)}")
    if not 0 <= index < size <= LARGEST_SIZE:
        raise ValueError(f"index {index} of size {size}")
    return isqrt(size - 1) + 1


def _mix(seed: bytes, right: int, turn: int, side: int) -> int:
    return int.from_bytes(keccak(seed + (right * ROUNDS + turn).to_bytes(32, "big")), "big") % side
