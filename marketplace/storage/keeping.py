"""A content store that keeps account of its repo: what is kept and why, how large it may grow, who else is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from marketplace.errors import FairshareError, Reason
from marketplace.storage.cid import cid_of
from marketplace.storage.dag import stored_bytes
from marketplace.storage.multiaddress import check_multiaddress
from marketplace.storage.pin_ledger import PinLedger
from marketplace.storage.providers import Providers
from marketplace.storage.reasons import Purpose, Why
from marketplace.storage.room import Room
from marketplace.storage.store import ContentStore, too_large

T = TypeVar("T")

_FIRST_SHARE = 0.3  # of a fetch's time, for the peers at hand, before others are dialled
_MOST_FIRST_S = 3.0
_DIAL_S = 5.0
_BRING_S = 60.0
_WITH_PEERS_S = 10.0  # so long a node that had peers is taken to have some still
_DRAFT_S = 7 * 86_400  # a project that was not posted by then never will be


@dataclass(frozen=True)
class Housekeeping:
    """How a repo is kept. `shared`: others that keep no ledger here may pin in it; `cap`: its largest size, bytes."""

    ledger: PinLedger | None = None
    shared: bool = False
    cap: int | None = None
    providers: Sequence[str] = ()


NO_HOUSEKEEPING = Housekeeping()


class KeepingStore(ContentStore):
    """A `ContentStore` and its `housekeeping`. What is added with a reason is kept while the ledger has one."""

    def __init__(
        self, api: str, housekeeping: Housekeeping = NO_HOUSEKEEPING, timeout_s: float = 30.0
    ) -> None:
        """Does not connect. Raises BAD_INPUT for an address that is none."""
        super().__init__(api, timeout_s)
        self.ledger = housekeeping.ledger
        self.providers = Providers(super().connect, housekeeping.providers)
        self._shared = housekeeping.shared
        self._room = (
            None if housekeeping.cap is None else Room(self.used, self.collect_garbage, housekeeping.cap)
        )
        self._on_wanted: Callable[[], None] | None = None
        self._ask_peers_at = 0.0  # time.monotonic: until then it has some

    @property
    def cap(self) -> int | None:
        """The repo's largest size in bytes; None: no limit but the disk's."""
        return None if self._room is None else self._room.cap

    def on_wanted(self, call: Callable[[], None]) -> None:
        """Somebody looks after the ledger: `call` whenever something is to be kept that is not here yet."""
        self._on_wanted = call

    def add(self, data: bytes, why: Why | None = None) -> str:
        """As `ContentStore.add`. Raises STORAGE_FULL beyond the cap too."""
        cid = cid_of(data)
        if self.ledger is not None and why is not None:
            self._want(cid, len(data), why, bring=False)
        if self._room is not None and not (self.ledger is not None and self.ledger.is_here(cid)):
            self._room.make(stored_bytes(len(data)))
        super().add(data)
        if self.ledger is not None:
            self.ledger.arrived(cid)
        return cid

    def keep(self, cid: str, max_bytes: int, why: Why) -> None:
        """Write down that a blob is to be kept; whoever looks after the ledger fetches it, else it is fetched here.

        Raises as `bring` where nobody does.
        """
        if self.ledger is None:
            super().keep(cid, max_bytes, why)
            return
        self._want(cid, max_bytes, why, bring=True)
        if self.ledger.is_here(cid):
            return
        if self._on_wanted is None:
            self.bring(cid, max_bytes, _BRING_S)
        else:
            self._on_wanted()

    def bring(self, cid: str, max_bytes: int, timeout_s: float) -> None:
        """Fetch a wanted blob and pin it, in room that is made for it.

        Raises as `ContentStore.fetch`; what has come is kept, so that the next attempt goes on from there.
        """
        deadline = time.monotonic() + timeout_s
        self._with_others(deadline, lambda left: self._prepare(cid, max_bytes, left))
        self._with_others(deadline, lambda left: self.pin(cid, left))
        if self.ledger is not None:
            self.ledger.arrived(cid)

    def fetch(self, cid: str, *, max_bytes: int, timeout_s: float) -> bytes:
        """As `ContentStore.fetch`; where the peers at hand do not serve it, all that are known are dialled.

        Raises STORAGE_FULL too.
        """
        deadline = time.monotonic() + timeout_s
        fetch = super().fetch

        def once(left: float) -> bytes:
            started = time.monotonic()
            if self._room is not None:
                self._prepare(cid, max_bytes, left)
            left = max(0.001, left - (time.monotonic() - started))
            return fetch(cid, max_bytes=max_bytes, timeout_s=left)

        return self._with_others(deadline, once)

    def connect(self, multiaddress: str) -> None:
        """As `ContentStore.connect`; the peer is remembered, and dialled again when something is missing."""
        self.providers.learn(check_multiaddress(multiaddress))  # though it may not answer yet
        super().connect(multiaddress)
        self._ask_peers_at = time.monotonic() + _WITH_PEERS_S

    def _is_alone(self) -> bool:
        now = time.monotonic()
        if now >= self._ask_peers_at and self.peers():
            self._ask_peers_at = now + _WITH_PEERS_S
        return now >= self._ask_peers_at

    def _want(self, cid: str, max_bytes: int, why: Why, *, bring: bool) -> None:
        ledger = self.ledger
        assert ledger is not None
        theirs = self._shared and not ledger.knows(cid) and cid in self.pins()
        until = int(time.time()) + _DRAFT_S if why.purpose is Purpose.DRAFT else None
        ledger.want(cid, max_bytes, why, until, bring=bring, theirs=theirs)

    def _prepare(self, cid: str, max_bytes: int, timeout_s: float) -> None:
        """TOO_LARGE, or room for what is missing."""
        found = self.stat(cid, timeout_s)
        if found.size > max_bytes:
            raise too_large(cid, max_bytes)
        if self._room is not None and found.missing:
            self._room.make(found.missing)

    def _with_others(self, deadline: float, call: Callable[[float], T]) -> T:
        """The call's result; UNAVAILABLE only where others that were dialled do not serve it either."""
        others = self.providers.any_due()
        if others and self._is_alone():
            self.providers.connect(min(_DIAL_S, (deadline - time.monotonic()) / 2))
            others = False
        left = max(0.001, deadline - time.monotonic())
        try:
            return call(min(_MOST_FIRST_S, _FIRST_SHARE * left) if others else left)
        except FairshareError as error:
            if error.reason is not Reason.UNAVAILABLE or not others:
                raise
        self.providers.connect(min(_DIAL_S, (deadline - time.monotonic()) / 2))
        return call(max(0.001, deadline - time.monotonic()))
