"""Audits on demand: one at a time, each kept for as long as its block is the newest."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from marketplace.audit import AuditReport, audit
from marketplace.chain.client import MarketClient
from marketplace.chain.types import Block
from marketplace.errors import FairshareError, Reason
from marketplace.storage.store import ContentStore

_KEPT = 16


class Audits:
    """Runs audits for whoever asks. An audit takes CPU and memory as a proof does, hence one at a time."""

    def __init__(
        self, client: MarketClient, store: ContentStore | None, cache_dir: Path, *, from_block: int = 0
    ) -> None:
        self._client, self._store, self._cache_dir = client, store, cache_dir
        self._from_block = from_block
        self._known: OrderedDict[tuple[int, bytes], AuditReport] = OrderedDict()
        self._running = threading.Lock()

    def report(self, project: int) -> tuple[Block, AuditReport]:
        """The audit up to the newest block.

        Raises REFUSED while another one runs, STORAGE_UNREACHABLE where the server has no storage, NOT_FOUND.
        """
        if self._store is None:
            raise FairshareError(
                Reason.STORAGE_UNREACHABLE,
                "this server has no storage to fetch models from",
                "start it with a storage node, or run `fairshare audit` yourself",
            )
        block = self._client.latest_block()
        key = (project, block.hash)
        if key in self._known:
            return block, self._known[key]
        if not self._running.acquire(blocking=False):
            raise FairshareError(Reason.REFUSED, "another audit is running", "try again in a minute")
        try:
            if key not in self._known:
                self._known[key] = audit(
                    self._client,
                    self._store,
                    project,
                    self._cache_dir,
                    block=block.number,
                    from_block=self._from_block,
                )
                while len(self._known) > _KEPT:
                    self._known.popitem(last=False)
            return block, self._known[key]
        finally:
            self._running.release()
