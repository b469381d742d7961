"""A second copy, at a pinning service, of what a node keeps: asked for, looked after, given up with its reason."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from marketplace.errors import FairshareError, Reason
from marketplace.node.logging import Logger
from marketplace.storage.keeping import KeepingStore
from marketplace.storage.pin_ledger import PinLedger
from marketplace.storage.pinning_service import PinningService, RemotePin, Status

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 600.0
_AGAIN_S = 86_400.0  # a pin that stands is looked at as often
_AT_ONCE = 16  # requests in one step
_MOST_DELEGATES = 4  # one that does not answer takes seconds


@dataclass
class _Attempt:
    pause_s: float = _FIRST_PAUSE_S
    due: float = 0.0  # time.monotonic


class RemotePins:
    """Keeps the service's pins as the ledger has them. One thread calls `step`."""

    def __init__(
        self,
        service: PinningService,
        store: KeepingStore,
        ledger: PinLedger,
        log: Logger,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service, self._store, self._ledger, self._log = service, store, ledger, log
        self._now = now
        self._attempts: dict[str, _Attempt] = {}  # by CID
        self._service_pause = _Attempt()
        self._standing: set[str] = set()

    def step(self) -> None:
        """A few requests of what is due; nothing for a while after a failure. Raises what the service's calls raise."""
        pause = self._service_pause
        if pause.due > self._now():
            return
        try:
            self._work()
        except FairshareError:
            pause.due = self._now() + pause.pause_s
            pause.pause_s = min(2 * pause.pause_s, _LONGEST_PAUSE_S)
            raise
        self._service_pause = _Attempt()

    def _work(self) -> None:
        for cid, request in self._ledger.stale_requests()[:_AT_ONCE]:
            self._service.remove(request)
            self._ledger.forget_request(cid)
            self._forget(cid)
            self._log.info("given up at the pinning service", cid=cid)
        unsent = self._due(self._ledger.unsent())
        if unsent:
            origins = self._store.addresses()
            for cid in unsent:
                self._send(cid, origins)
        requests = dict(self._ledger.requests())
        for cid in self._due(tuple(requests)):
            self._look(cid, requests[cid])

    def _send(self, cid: str, origins: list[str]) -> None:
        self._put_off(cid)
        # killed after it was asked, we would not know its name for it
        pin = self._service.find(cid)
        if pin is None or pin.status is Status.FAILED:
            pin = self._service.add(cid, f"fairshare {cid}", origins)
        self._ledger.sent(cid, pin.requestid)
        self._log.info("sent to the pinning service", cid=cid, status=str(pin.status))
        self._show(pin)

    def _look(self, cid: str, request: str) -> None:
        self._put_off(cid)
        pin = self._service.look(cid, request)
        if pin is None or pin.status is Status.FAILED:
            self._log.warning("the pinning service does not keep it", cid=cid)
            if pin is not None:
                self._service.remove(request)
            self._ledger.forget_request(cid)  # so that it is asked again, after the pause
            self._standing.discard(cid)
        elif pin.status is Status.PINNED:
            if cid not in self._standing:
                self._log.info("kept at the pinning service", cid=cid)
            self._standing.add(cid)
            self._attempts[cid].due = self._now() + _AGAIN_S
        else:
            self._show(pin)

    def _show(self, pin: RemotePin) -> None:
        """Meet those that fetch it for the service; it finds us by itself where that fails."""
        for delegate in pin.delegates[:_MOST_DELEGATES]:
            try:
                self._store.connect(delegate)
            except FairshareError as error:
                if error.reason not in (Reason.UNAVAILABLE, Reason.BAD_INPUT):
                    raise

    def _due(self, cids: tuple[str, ...]) -> list[str]:
        now = self._now()
        return [cid for cid in cids if self._attempts.get(cid, _Attempt()).due <= now][:_AT_ONCE]

    def _put_off(self, cid: str) -> None:
        attempt = self._attempts.setdefault(cid, _Attempt())
        attempt.due = self._now() + attempt.pause_s
        attempt.pause_s = min(2 * attempt.pause_s, _LONGEST_PAUSE_S)

    def _forget(self, cid: str) -> None:
        self._attempts.pop(cid, None)
        self._standing.discard(cid)
