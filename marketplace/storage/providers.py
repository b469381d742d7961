"""Storage nodes that may have a blob: dialled, several at a time, when those at hand do not serve it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait

from marketplace.errors import FairshareError, Reason
from marketplace.storage.multiaddress import check_multiaddress

MOST = 64  # addresses; the oldest that nobody named by hand is forgotten first
_AT_ONCE = 8
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 300.0


class Providers:
    """Addresses and how each fared. None is trusted: every block is held against its hash, whoever sends it.

    Bitswap asks all peers that are connected, so to ask several means to be connected to them.
    """

    def __init__(self, dial: Callable[[str], None], named: Iterable[str] = ()) -> None:
        """`dial` raises UNAVAILABLE where nobody answers. Raises BAD_INPUT for what is no address."""
        self._dial = dial
        self._named = tuple(dict.fromkeys(check_multiaddress(address) for address in named))
        self._learnt: dict[str, None] = {}
        self._pauses: dict[str, tuple[float, float]] = {}  # how long, and until when (time.monotonic)
        self._lock = threading.Lock()

    def learn(self, multiaddress: str) -> None:
        """An address that somebody told; it must be one that we dial."""
        with self._lock:
            self._learnt.pop(multiaddress, None)
            self._learnt[multiaddress] = None
            while len(self._learnt) + len(self._named) > MOST and self._learnt:
                self._pauses.pop(next(iter(self._learnt)), None)
                del self._learnt[next(iter(self._learnt))]

    def any_due(self) -> bool:
        """Whether there is anybody to dial."""
        return bool(self._due())

    def connect(self, timeout_s: float) -> None:
        """Dial all that are not to be left alone for now; return when they have answered, or after `timeout_s`.

        Raises STORAGE_UNREACHABLE.
        """
        due = self._due()
        if not due:
            return
        pool = ThreadPoolExecutor(min(_AT_ONCE, len(due)), thread_name_prefix="dial")
        try:
            done, _ = wait([pool.submit(self._try, address) for address in due], timeout=timeout_s)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        for future in done:
            future.result()

    def _due(self) -> list[str]:
        now = time.monotonic()
        with self._lock:
            known = dict.fromkeys((*self._named, *reversed(self._learnt)))
            return [address for address in known if self._pauses.get(address, (0.0, 0.0))[1] <= now]

    def _try(self, address: str) -> None:
        try:
            self._dial(address)
        except FairshareError as error:
            if error.reason is not Reason.UNAVAILABLE:
                raise
            with self._lock:
                pause = min(2 * self._pauses.get(address, (_FIRST_PAUSE_S / 2, 0.0))[0], _LONGEST_PAUSE_S)
                self._pauses[address] = pause, time.monotonic() + pause
        else:
            with self._lock:
                self._pauses.pop(address, None)
