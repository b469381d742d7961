"""Looks after a node's storage in a thread of its own: fetches what is to be kept, lets go of what nobody needs.

What a project's loop wants kept it only writes down; large blobs move here, beside it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from marketplace.chain.client import MarketClient
from marketplace.chain.events import Event, ResultPosted, RoundUndone, fetch
from marketplace.chain.finality import final_block
from marketplace.chain.types import Status
from marketplace.errors import FairshareError, Reason
from marketplace.node.logging import Logger
from marketplace.node.models import last_standing
from marketplace.node.remote_pins import RemotePins
from marketplace.node.retention import Standing, ends
from marketplace.storage.keeping import KeepingStore
from marketplace.storage.pin_ledger import PinLedger, Wanted

DAY_S = 86_400
_EVERY_S = 30.0
_COMPARE_EVERY_S = 3600.0
_COLLECT_EVERY_S = 600.0  # it interrupts transfers
_SLICE_S = 5.0  # for one attempt at what is missing of a blob; what has come by then stays
_OWN_BYTES_A_S = 20e6  # at least, out of our own repo
_AT_HAND_S = 0.3  # for a root that is here, or with a peer that is connected
_LEAVE_S = 3.0  # for the thread to end, before its storage does
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 300.0
_OVER = frozenset({Status.SETTLED, Status.CANCELLED, Status.HALTED})


@dataclass(frozen=True)
class Retention:
    """For how long what audits need is kept after a project's end, seconds; `of_owner`: see `retention.ends`."""

    keep_s: int
    of_owner: bool


class Storekeeper:
    """One store's. `step` may be called without the thread, as tests do."""

    def __init__(
        self,
        store: KeepingStore,
        ledger: PinLedger,
        client: MarketClient,
        retention: Retention,
        log: Logger,
        *,
        remote: RemotePins | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._ledger, self._client = store, ledger, client
        self._retention, self._log, self._remote, self._now = retention, log, remote, now
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._compare_at = 0.0
        self._has_garbage = False
        self._collect_at = 0.0
        self._over: set[int] = set()  # projects whose end was seen to
        self._pauses: dict[str, tuple[float, float]] = {}  # by CID: how long, and until when (time.monotonic)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Runs the thread until the end of the block."""
        self._store.on_wanted(self._woken.set)
        thread = threading.Thread(target=self._run, name="storekeeper", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            self._woken.set()
            thread.join(_LEAVE_S)

    def step(self) -> None:
        """Everything that is due, once. What fails is only reported, and due again the next time."""
        for duty in (self.compare, self.end, self.release, self.bring):
            self._attempt(duty)
        if self._remote is not None:
            self._attempt(self._remote.step)

    def tidy(self) -> None:
        """Let go of what is due, once: a node that ends with its project may not be started again."""
        self._collect_at = 0.0
        for duty in (self.end, self.release):
            self._attempt(duty)

    def compare(self) -> None:
        """Hold the ledger against the repo, at the start and once an hour: what a kill cut short is seen here."""
        if time.monotonic() < self._compare_at:
            return
        coming = self._ledger.not_here()  # before the pins are read: what arrives in between is not missed
        due = self._ledger.here()
        pinned = self._store.pins() if coming or due else frozenset()
        lost = [cid for cid in due if cid not in pinned]
        if lost:
            self._log.warning("pins are gone from the repo: fetching them again", blobs=len(lost))
            self._ledger.missing(lost)
        for cid in coming:
            if cid in pinned:
                self._ledger.arrived(cid)
        self._compare_at = time.monotonic() + _COMPARE_EVERY_S

    def end(self) -> None:
        """Reasons end as their projects do, by what is final on chain."""
        for project in self._ledger.open_projects():
            standing = None if project in self._over else self._standing(project)
            if standing is None:
                continue
            kept = self._ledger.open_reasons(project)
            now, retention = int(self._now()), self._retention
            for cid, why, until in ends(kept, standing, now, retention.keep_s, of_owner=retention.of_owner):
                self._ledger.end(cid, why, until)
            if standing.over:
                self._over.add(project)

    def release(self) -> None:
        """Unpin what nobody has a reason for any more, and rid the repo of it."""
        now = self._now()
        self._ledger.drop(int(now))
        released = self._ledger.release(self._store.unpin)
        if released:
            self._log.info("unpinned what nobody needs any more", blobs=released)
        self._has_garbage |= bool(released)
        if self._has_garbage and now >= self._collect_at:
            self._store.collect_garbage()
            self._has_garbage, self._collect_at = False, now + _COLLECT_EVERY_S

    def bring(self) -> None:
        """An attempt at every blob that is to be kept and is not here."""
        for wanted in self._ledger.wanted():
            if self._stopped.is_set():
                return
            if self._pauses.get(wanted.cid, (0.0, 0.0))[1] <= time.monotonic():
                self._bring(wanted)

    def _bring(self, wanted: Wanted) -> None:
        before, local = self._here(wanted)
        try:
            self._store.bring(wanted.cid, wanted.max_bytes, _SLICE_S + local / _OWN_BYTES_A_S)
        except FairshareError as error:
            if error.reason not in (Reason.UNAVAILABLE, Reason.INTEGRITY, Reason.TOO_LARGE):
                raise
            left, _ = self._here(wanted)
            if (
                error.reason is Reason.UNAVAILABLE
                and before is not None
                and left is not None
                and left < before
            ):
                self._pauses.pop(wanted.cid, None)
                self._log.info("bringing", cid=wanted.cid, missing_bytes=left)
                return
            pause = min(2 * self._pauses.get(wanted.cid, (_FIRST_PAUSE_S / 2, 0.0))[0], _LONGEST_PAUSE_S)
            self._pauses[wanted.cid] = pause, time.monotonic() + pause
            self._log.warning("cannot be had yet", cid=wanted.cid, problem=error.message, pause_s=pause)
        else:
            self._pauses.pop(wanted.cid, None)
            self._log.info("kept", cid=wanted.cid)

    def _here(self, wanted: Wanted) -> tuple[int | None, int]:
        """Bytes that are missing, None where not even the root is here, and bytes that are here."""
        try:
            found = self._store.stat(wanted.cid, _AT_HAND_S)
        except FairshareError as error:
            if error.reason not in (Reason.UNAVAILABLE, Reason.INTEGRITY):
                raise
            return None, 0
        return found.missing, max(0, found.size - found.missing)

    def _standing(self, number: int) -> Standing | None:
        """A project as it is in the newest final block; None where it is not there yet."""
        client = self._client
        block = final_block(client.latest_block().number, client.confirmations)
        try:
            project = client.project(number, block=block)
        except FairshareError as error:
            if error.reason not in (Reason.NOT_FOUND, Reason.NO_CONTRACT):
                raise
            return None
        over = project.status in _OVER
        last = None
        if over:
            events: list[Event] = fetch(client, [ResultPosted, RoundUndone], number, to_block=block)
            last = last_standing(events)
        return Standing(over, project.outcome_round, 0 if last is None else last.round)

    def _attempt(self, duty: Callable[[], None]) -> None:
        try:
            duty()
        except FairshareError as error:
            if self._stopped.is_set():
                return  # its storage may be gone already
            self._log.warning("storage waits", reason=error.reason, problem=error.message, hint=error.hint)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._woken.clear()
            self.step()
            paused = [until for _, until in self._pauses.values()]
            wait = min([_EVERY_S, *(max(0.1, until - time.monotonic()) for until in paused)])
            self._woken.wait(wait)
