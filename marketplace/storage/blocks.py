"""Single blocks by digest, from disk or from peers, with time limits that the Kubo library does not have."""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass, field

from marketplace.storage.cid import from_digest, raw_block_cid
from marketplace.storage.inventory import Inventory
from marketplace.storage.node import KuboNode

MAX_PENDING = 128
MAX_ABANDONED = 32
MAX_DOWNLOADS = 4096  # 150 MB of what the library does not let go of
_ATTEMPTS = 3
_FIRST_PATIENCE_S, _LONGEST_PATIENCE_S = 0.5, 32.0  # with a peer that did not have a block when it was asked
_LOOK_EVERY_S = 0.5


class BlockUnavailable(Exception):
    """The block did not come in time."""


class BlockDamaged(Exception):
    """The block on disk is not the one that its name says."""


@dataclass
class _Want:
    """One download in progress: a thread of its own waits in the library, any number of callers for it."""

    done: threading.Event = field(default_factory=threading.Event)
    callers: int = 0
    block: bytes | None = None
    since: float = field(default_factory=time.monotonic)
    late: bool = False  # peers were asked for it anew


class Blocks:
    """Fetches blocks through a node.

    A download is one block, at most 2 MiB, so a caller that stops asking stops the transfer. Callers that
    want the same block share one download. One that nobody waits for any more stays, as the node's standing
    request to its peers; when there are too many of those the node is recycled, which ends them. So it is after many
    downloads, when nobody waits for one; and where a block is asked for again that did not come: the library tells a
    peer only every 30 s that it still wants one, and a peer that has got it meanwhile tells nobody.
    """

    def __init__(self, node: KuboNode, inventory: Inventory) -> None:
        self._node = node
        self._inventory = inventory
        self._lock = threading.Lock()
        self._recycling = threading.Lock()
        self._wants: dict[bytes, _Want] = {}
        self._patience_s = _FIRST_PATIENCE_S
        self._impatient_at = 0.0  # time.monotonic of the last recycling for a block that did not come

    def ask(self, digest: bytes) -> BlockRequest:
        """Start to fetch the block; use the request as a context manager, and give it up by leaving.

        Raises BlockUnavailable at once if too many blocks are being waited for.
        """
        local = self._inventory.read(digest)
        if local is not None:
            here = _Want(callers=1, block=local)
            here.done.set()
            return BlockRequest(self, digest, here)
        with self._recycling:
            abandoned, waiting = self._standing()
            worn = self._node.downloads >= MAX_DOWNLOADS
            due = abandoned >= MAX_ABANDONED or (not waiting and (worn or self._loses_patience(digest)))
            standing = self._join(digest)  # first: what somebody waits for goes on afterwards
            if due:
                self._node.recycle()
        return BlockRequest(self, digest, standing or self._begin(digest))

    def get(self, digest: bytes, deadline: float) -> bytes:
        """The block, if it comes before `deadline` (time.monotonic).

        Raises BlockUnavailable, BlockDamaged.
        """
        with self.ask(digest) as request:
            return request.result(deadline)

    def local(self, digest: bytes) -> bytes | None:
        """The block, where it is on disk: one that was added meanwhile ends no request to peers."""
        return self._inventory.read(digest)

    def _fetch(self, digest: bytes, want: _Want) -> None:
        def wanted() -> bool:
            return want.callers > 0

        try:
            for _ in range(_ATTEMPTS):
                if not self._node.download(raw_block_cid(digest), wanted=wanted):
                    break
                want.block = self._inventory.read(digest)
                if want.block is not None:  # else a collection of garbage was quicker
                    break
        finally:
            with self._lock:
                if want.late and want.block is not None:  # to ask anew was worth it
                    self._patience_s = _FIRST_PATIENCE_S
                del self._wants[digest]
            want.done.set()

    def _leave(self, want: _Want) -> None:
        with self._lock:
            want.callers -= 1

    def _join(self, digest: bytes) -> _Want | None:
        """The download in progress, with one caller more."""
        with self._lock:
            want = self._wants.get(digest)
            if want is not None:
                want.callers += 1
            return want

    def _begin(self, digest: bytes) -> _Want:
        """A download that another caller may have begun just now."""
        with self._lock:
            want = self._wants.get(digest)
            if want is None:
                if len(self._wants) >= MAX_PENDING:
                    raise BlockUnavailable("too many blocks are being waited for")
                want = self._wants[digest] = _Want()
                threading.Thread(target=self._fetch, args=(digest, want), daemon=True).start()
            want.callers += 1
            return want

    def _loses_patience(self, digest: bytes) -> bool:
        """Whether peers are to be asked anew for a block that was asked for before; more seldom each time."""
        now = time.monotonic()
        with self._lock:
            want = self._wants.get(digest)
            if now - self._impatient_at > 2 * _LONGEST_PATIENCE_S:
                self._patience_s = _FIRST_PATIENCE_S
            if want is None or now - max(want.since, self._impatient_at) < self._patience_s:
                return False
            want.late = True
            self._patience_s = min(2 * self._patience_s, _LONGEST_PATIENCE_S)
            self._impatient_at = now
            return True

    def _standing(self) -> tuple[int, int]:
        """How many downloads nobody waits for any more, and how many somebody does."""
        with self._lock:
            abandoned = sum(want.callers == 0 for want in self._wants.values())
            return abandoned, len(self._wants) - abandoned


class BlockRequest:
    """A caller's share in a download."""

    def __init__(self, blocks: Blocks, digest: bytes, want: _Want) -> None:
        self._blocks = blocks
        self._digest = digest
        self._want = want

    def result(self, deadline: float) -> bytes:
        """The block, checked against its digest. Raises BlockUnavailable, BlockDamaged."""
        while not self._want.done.wait(max(0.0, min(_LOOK_EVERY_S, deadline - time.monotonic()))):
            block = self._blocks.local(self._digest)
            if block is not None or time.monotonic() >= deadline:
                break
        else:
            block = self._want.block
        if block is None:
            raise BlockUnavailable(f"block {from_digest(self._digest)} did not come in time")
        if hashlib.sha256(block).digest() != self._digest:
            raise BlockDamaged(f"block {from_digest(self._digest)} is damaged on disk")
        return block

    def give_up(self) -> None:
        """Wait no longer; call it once."""
        self._blocks._leave(self._want)

    def __enter__(self) -> BlockRequest:
        return self

    def __exit__(self, *exception: object) -> None:
        self.give_up()
