"""Reads of the market at one block, kept for as long as that block is the newest."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator

from marketplace.api.chronicle import Chronicle
from marketplace.audit.report import MALFORMED
from marketplace.chain.client import MarketClient
from marketplace.chain.events import MARKET_EVENTS, fetch
from marketplace.errors import FairshareError, Reason

_KEPT = 8


class Reader:
    """Chronicles by project and block hash; the last few are kept. Threads may share it."""

    def __init__(self, client: MarketClient, *, from_block: int = 0) -> None:
        self.client = client
        self._from_block = from_block
        self._told: OrderedDict[tuple[int, bytes], Chronicle] = OrderedDict()
        self._lock = threading.Lock()

    def told(self, project: int) -> Chronicle:
        """A project's events up to the newest block. Raises NOT_FOUND, CHAIN_UNREACHABLE, INTEGRITY."""
        with readable():
            return self._read(project)

    def _read(self, project: int) -> Chronicle:
        block = self.client.latest_block()
        key = (project, block.hash)
        with self._lock:
            known = self._told.get(key)
        if known is None:
            at = block.number
            state, terms = self.client.project(project, block=at), self.client.terms(project, block=at)
            events = fetch(self.client, MARKET_EVENTS, project, from_block=self._from_block, to_block=at)
            known = Chronicle(project, block, state, terms, tuple(events))
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
