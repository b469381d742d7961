"""Reads of the market at one block, kept for as long as that block is the newest."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from marketplace.audit.history import History, read_history
from marketplace.audit.replay import Replay, replay
from marketplace.audit.report import MALFORMED
from marketplace.chain.client import MarketClient
from marketplace.errors import FairshareError, Reason

_KEPT = 8


@dataclass(frozen=True)
class Told:
    """A project's history and what it amounts to."""

    history: History
    replayed: Replay


class Reader:
    """Histories by project and block hash; the last few are kept. Threads may share it."""

    def __init__(self, client: MarketClient, *, from_block: int = 0) -> None:
        self.client = client
        self._from_block = from_block
        self._told: OrderedDict[tuple[int, bytes], Told] = OrderedDict()
        self._lock = threading.Lock()

    def told(self, project: int) -> Told:
        """A project's history up to the newest block. Raises NOT_FOUND, CHAIN_UNREACHABLE, INTEGRITY."""
        block = self.client.latest_block()
        key = (project, block.hash)
        with self._lock:
            known = self._told.get(key)
        if known is None:
            history = read_history(self.client, project, block=block.number, from_block=self._from_block)
            known = Told(history, replay(history))
            with self._lock:
                self._told[key] = known
                while len(self._told) > _KEPT:
                    self._told.popitem(last=False)
        return known


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """Turns what an endpoint serves and cannot be read into INTEGRITY."""
    try:
        yield
    except MALFORMED as error:
        raise FairshareError(
            Reason.INTEGRITY,
            f"the chain endpoint served what cannot be read: {type(error).__name__}",
            "use another endpoint",
        ) from error
