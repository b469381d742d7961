"""Storage and sender that tell how long they take and how much they move."""

from __future__ import annotations

from marketplace.chain.sender import Receipt, TransactionSender
from marketplace.chain.simulation import FunctionCall
from marketplace.node.telemetry.hooks import NO_TELEMETRY, Telemetry, Work
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


class MeteredSender(TransactionSender):
    """A sender whose waits are told, once it has somebody to tell."""

    telemetry: Telemetry = NO_TELEMETRY

    def send(
        self,
        intent: str,
        function_call: FunctionCall,
        value: int = 0,
        *,
        deadline: int | None = None,
        final: bool = False,
    ) -> Receipt:
        """As `TransactionSender.send`."""
        with self.telemetry.at_work(Work.SENDING):
            return super().send(intent, function_call, value, deadline=deadline, final=final)
