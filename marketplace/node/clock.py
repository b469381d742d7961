"""The chain's time: deadlines are block timestamps, so nodes wait for blocks, not for seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.local import LOCAL_CHAIN_IDS
from marketplace.chain.types import Block

MOST_SKEW_S = 60.0  # between a new block and this machine's clock
_WARN_EVERY_S = 3600.0


def skew_in_words(skew: float) -> str:
    """What it may mean that a new block is `skew` seconds ahead of this machine's clock."""
    if skew > 0:
        return f"a new block is {skew:.0f} s ahead of this machine's clock: set the clock"
    return f"a new block is {-skew:.0f} s old by this machine's clock: set the clock, or the endpoint lags"


class ChainClock:
    """Waits for blocks of the client's chain.

    Where the endpoint announces blocks (`chain.heads`) that wakes the waiting thread; elsewhere the chain is asked
    every `poll_s` seconds. `stop`, when set, ends every wait within `poll_s`. Every wait raises CHAIN_UNREACHABLE as
    the client does. `on_turn` is called at each look.
    """

    def __init__(
        self,
        client: ChainClient,
        *,
        stop: threading.Event | None = None,
        poll_s: float = 1.0,
        on_turn: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = client
        self._stop = stop or threading.Event()
        self._poll_s = poll_s
        self._on_turn = on_turn
        self._listening = ExitStack()
        self._is_listening = False
        self._seen = -1
        self._seen_hash = b""
        self._compare_not_before = 0.0

    def now(self) -> int:
        """Timestamp of the newest block, in seconds."""
        return self.latest().timestamp

    def latest(self) -> Block:
        """The newest block."""
        self._on_turn()
        block = self._client.latest_block()
        self._seen, self._seen_hash = block.number, block.hash
        return block

    def wait_until(self, timestamp: int, timeout_s: float | None = None) -> bool:
        """True once a block of time >= `timestamp` exists; False after `timeout_s`, or when stopped."""
        give_up_at = None if timeout_s is None else time.monotonic() + timeout_s
        while self.latest().timestamp < timestamp:
            left = None if give_up_at is None else give_up_at - time.monotonic()
            if self._stop.is_set() or (left is not None and left <= 0):
                return False
            self.wait_for_block(left)
        return True

    def wait_for_block(self, timeout_s: float | None = None) -> Block | None:
        """The newest block, once it is another than this clock returned last (the first call returns at once).

        None after `timeout_s`, or when stopped.
        """
        give_up_at = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._stop.is_set():
            self._subscribe()
            mark = self._client.heads.mark  # before asking: a block in between then ends the wait below
            seen = self._seen_hash
            block = self.latest()
            if block.hash != seen:  # a reorganised chain has another block of the same number
                if seen:  # it has only just come
                    self._compare(block)
                return block
            left = self._poll_s if give_up_at is None else min(self._poll_s, give_up_at - time.monotonic())
            if left <= 0:
                return None
            self._client.heads.wait(mark, self._stop, most_s=left, else_s=left)
        return None

    def _compare(self, block: Block) -> None:
        """Warns where this machine's clock is wrong: nothing here goes by it, but certificates and people do."""
        skew = block.timestamp - time.time()
        if abs(skew) < MOST_SKEW_S or time.monotonic() < self._compare_not_before:
            return
        if self._client.chain_id not in LOCAL_CHAIN_IDS:  # whose time is anybody's
            self._compare_not_before = time.monotonic() + _WARN_EVERY_S
            self._client.say(skew_in_words(skew))

    def close(self) -> None:
        """Ends the subscription."""
        self._listening.close()
        self._is_listening = False

    def _subscribe(self) -> None:
        if not self._is_listening:
            self._listening.enter_context(self._client.heads.listening())
            self._is_listening = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
