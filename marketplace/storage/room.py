"""A repo's size against its cap: checked before a blob is added or fetched; garbage goes first."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable

from marketplace.errors import FairshareError, Reason

_UNITS: dict[str, int] = {
    "": 1,
    **{f"{letter}B": 1000**power for power, letter in enumerate("KMGT", start=1)},
    **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGT", start=1)},
    "B": 1,
}
_SIZE = re.compile(r"(\d{1,15})(?:\.(\d{1,3}))? ?([KMGT]i?B|B|)\Z", re.IGNORECASE)
_TRUSTED_S = 60.0  # others may add to the same repo


def parse_size(text: str) -> int:
    """Bytes in a text such as "20GB", "500 MiB", "1.5TB". Raises BAD_INPUT."""
    found = _SIZE.match(text.strip())
    if found is None:
        raise FairshareError(
            Reason.BAD_INPUT, f"{text[:40]!r} is no size", "write a number and a unit, such as 20GB or 500MiB"
        )
    whole, part, unit = found.groups()
    factor = next(factor for name, factor in _UNITS.items() if name.lower() == unit.lower())
    thousandths = int((part or "").ljust(3, "0"))
    return int(whole) * factor + thousandths * factor // 1000


def shown_size(size: int) -> str:
    """Bytes in words: 1.5 GB."""
    for power, letter in reversed(list(enumerate("KMGT", start=1))):
        if size >= 1000**power:
            return f"{size / 1000**power:.1f} {letter}B"
    return f"{size} B"


class Room:
    """Room in a repo. `used`: its size in bytes; `collect`: rids it of garbage; `cap`: what it may have, in bytes."""

    def __init__(self, used: Callable[[], int], collect: Callable[[], None], cap: int) -> None:
        self._used, self._collect, self.cap = used, collect, cap
        self._lock = threading.Lock()
        self._known = 0
        self._known_until = 0.0

    def make(self, needed: int) -> None:
        """Return when `needed` bytes fit. Raises STORAGE_FULL, STORAGE_UNREACHABLE."""
        with self._lock:
            if time.monotonic() >= self._known_until or self._known + needed > self.cap:
                self._look()
            if self._known + needed > self.cap:
                self._collect()
                self._look()
            if self._known + needed > self.cap:
                raise FairshareError(
                    Reason.STORAGE_FULL,
                    f"the storage repo has {shown_size(self._known)} of {shown_size(self.cap)}: "
                    f"{shown_size(needed)} more do not fit",
                    "raise --storage-max, or shorten --keep-days",
                )
            self._known += needed

    def _look(self) -> None:
        self._known = self._used()
        self._known_until = time.monotonic() + _TRUSTED_S
