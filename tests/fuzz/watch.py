"""Runs a decoder on one input, and says what it must not do: raise, hang, or take memory out of proportion."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from marketplace.errors import FairshareError
from tests.fuzz.target import Target

MOST_S = 1.0  # CPU seconds of one input: the machine may be busy with others
MOST_TIMES = 10  # memory, in sizes that an input declares
LEAST_DECLARED = 1 << 20  # bytes; below it the allocator's own steps are what is measured
_RESET_PEAK = b"5"  # proc(5), clear_refs


class Misbehaved(AssertionError):
    """A decoder took too long, or too much memory."""


@dataclass
class Seen:
    """Over all inputs so far. `growth`: the most bytes that one took; `ratio`: to what it declared, at least 1 MiB."""

    inputs: int = 0
    slowest_s: float = 0.0
    growth: int = 0
    ratio: float = 0.0


class Watch:
    """Measures each run of `target.decode`. Peak memory is the kernel's (VmHWM), so what C libraries take counts."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._allowed = (FairshareError, *target.also)
        self.seen = Seen()

    def __enter__(self) -> Self:
        self._reset = os.open("/proc/self/clear_refs", os.O_WRONLY)
        self._status = os.open("/proc/self/status", os.O_RDONLY)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._reset)
        os.close(self._status)

    def warm_up(self, inputs: Iterable[bytes]) -> None:
        """Runs them unmeasured: what is imported or made once is no input's doing."""
        for data in inputs:
            with contextlib.suppress(*self._allowed):
                self._target.decode(data)

    def run(self, data: bytes) -> None:
        """One input. Raises Misbehaved, and whatever the decoder raises that it may not."""
        os.write(self._reset, _RESET_PEAK)
        before, _ = self._memory()
        started = time.thread_time()
        with contextlib.suppress(*self._allowed):
            self._target.decode(data)
        took = time.thread_time() - started
        _, peak = self._memory()
        self._note(data, took, peak - before)

    def _note(self, data: bytes, took: float, growth: int) -> None:
        seen, due = self.seen, max(LEAST_DECLARED, self._target.declared(data))
        seen.inputs += 1
        seen.slowest_s = max(seen.slowest_s, took)
        seen.growth = max(seen.growth, growth)
        seen.ratio = max(seen.ratio, growth / due)
        if took > MOST_S:
            raise Misbehaved(f"{self._target.name} took {took:.2f} s for {len(data)} bytes")
        if growth > MOST_TIMES * due:
            raise Misbehaved(f"{self._target.name} took {growth} bytes of memory where {due} were declared")

    def _memory(self) -> tuple[int, int]:
        """Resident bytes now, and at their peak since it was reset."""
        lines = os.pread(self._status, 4096, 0).split(b"\n")
        now, peak = (next(line for line in lines if line.startswith(name)) for name in (b"VmRSS", b"VmHWM"))
        return int(now.split()[1]) << 10, int(peak.split()[1]) << 10
