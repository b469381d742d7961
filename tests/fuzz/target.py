"""What a fuzz target is: one decoder, and what it may do with hostile bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

Seeds = Callable[[], Iterable[bytes]]


@dataclass(frozen=True)
class Target:
    """`decode` returns anything, or raises FairshareError or one of `also`; all else is a bug.

    `seeds` makes sound inputs, which tests/fuzz/corpus holds. `declared`: bytes that an input says it is of, which
    memory is held against. `share`: of the runs that other targets get, where a run is slow. `json_at`: where JSON
    begins in an input, which is then mutated by its structure as well.
    """

    name: str
    decode: Callable[[bytes], object]
    seeds: Seeds
    also: tuple[type[Exception], ...] = ()
    declared: Callable[[bytes], int] = len
    largest: int = 4096  # bytes of an input
    share: float = 1.0
    json_at: int | None = None
