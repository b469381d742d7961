"""Storage that tells how long it takes and how much it moves."""

from __future__ import annotations

from marketplace.node.telemetry.hooks import Telemetry, Work
from marketplace.storage.store import ContentStore


class MeteredStore(ContentStore):
    """A content store whose transfers are told."""

    def __init__(self, api: str, telemetry: Telemetry) -> None:
        super().__init__(api)
        self._telemetry = telemetry

    def add(self, data: bytes) -> str:
        """As `ContentStore.add`."""
        cid = super().add(data)
        self._telemetry.stored(len(data))
        return cid

    def fetch(self, cid: str, *, max_bytes: int, timeout_s: float) -> bytes:
        """As `ContentStore.fetch`."""
        with self._telemetry.at_work(Work.FETCHING):
            data = super().fetch(cid, max_bytes=max_bytes, timeout_s=timeout_s)
        self._telemetry.fetched(len(data))
        return data
