"""Storage that tells how long it takes and how much it moves."""

from __future__ import annotations

import time

import structlog

from marketplace.node.logging import logger
from marketplace.node.telemetry.hooks import Telemetry, Work
from marketplace.storage.keeping import NO_HOUSEKEEPING, Housekeeping, KeepingStore
from marketplace.storage.reasons import Why

_TELL_EVERY_S = 5.0


class MeteredStore(KeepingStore):
    """A content store whose transfers are told."""

    def __init__(self, api: str, telemetry: Telemetry, housekeeping: Housekeeping = NO_HOUSEKEEPING) -> None:
        super().__init__(api, housekeeping)
        self._telemetry = telemetry
        self._told: dict[str, float] = {}  # by CID of what is coming: when it was logged last

    def add(self, data: bytes, why: Why | None = None) -> str:
        """As `KeepingStore.add`."""
        cid = super().add(data, why)
        self._telemetry.stored(len(data))
        return cid

    def fetch(self, cid: str, *, max_bytes: int, timeout_s: float) -> bytes:
        """As `KeepingStore.fetch`."""
        with self._telemetry.at_work(Work.FETCHING):
            try:
                data = super().fetch(cid, max_bytes=max_bytes, timeout_s=timeout_s)
            finally:
                self._told.pop(cid, None)
        self._telemetry.fetched(len(data))
        return data

    def told(self, cid: str, have: int, most: int) -> None:
        """Logs how far a large blob is, every few seconds, where this process keeps a log."""
        now = time.monotonic()
        if now - self._told.setdefault(cid, now) >= _TELL_EVERY_S and structlog.is_configured():
            self._told[cid] = now
            logger(part="storage").info("fetching", cid=cid, have_bytes=have, most_bytes=most)
