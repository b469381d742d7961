"""Small blobs that were fetched a moment ago: they have their content's name, and need not be asked for again."""

from __future__ import annotations

import threading
from collections import OrderedDict

LARGEST = 1 << 20  # bytes of a blob: manifests, leaves, small models
MOST = 8 << 20  # bytes in all


class Recent:
    """The newest small blobs by CID. Threads may share it."""

    def __init__(self, most: int = MOST, largest: int = LARGEST) -> None:
        self._most, self._largest = most, largest
        self._blobs: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, cid: str) -> bytes | None:
        """The bytes that this CID names, if they are here."""
        with self._lock:
            found = self._blobs.get(cid)
            if found is not None:
                self._blobs.move_to_end(cid)
            return found

    def put(self, cid: str, data: bytes) -> None:
        """Keep `data`, which `cid` names, in the place of what was used longest ago; nothing for large blobs."""
        if len(data) > self._largest:
            return
        with self._lock:
            self._size += len(data) - len(self._blobs.get(cid, b""))
            self._blobs[cid] = data
            self._blobs.move_to_end(cid)
            while self._size > self._most:
                self._size -= len(self._blobs.popitem(last=False)[1])
