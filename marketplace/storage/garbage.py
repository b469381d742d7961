"""Garbage of the embedded node's repo: the library collects none, so blocks that no pin needs are deleted under it.

The node is stopped meanwhile: it remembers which blocks it has, and would take a deleted one for there.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from marketplace.errors import FairshareError, Reason
from marketplace.storage.cid import DIGEST_BYTES, digest_of
from marketplace.storage.inventory import Inventory
from marketplace.storage.node import KuboNode

# The empty folder, root of the file system that Kubo opens at every start.
_EMPTY_FOLDER = digest_of("QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn")
_SHA256 = b"\x12\x20"


class PinGate:
    """Lets many change pins, or one collect garbage, which must not see a blob between its blocks and its pin."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._changing = 0
        self._collecting = False

    @contextmanager
    def changing(self) -> Iterator[None]:
        """While blocks are stored and pinned; waits for a collection to end."""
        with self._condition:
            self._condition.wait_for(lambda: not self._collecting)
            self._changing += 1
        try:
            yield
        finally:
            with self._condition:
                self._changing -= 1
                self._condition.notify_all()

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """While garbage is collected; nobody else is inside."""
        with self._condition:
            self._condition.wait_for(lambda: not self._collecting)
            self._collecting = True  # before those inside are through, or adds could hold it up for ever
            self._condition.wait_for(lambda: self._changing == 0)
        try:
            yield
        finally:
            with self._condition:
                self._collecting = False
                self._condition.notify_all()


def collect(node: KuboNode, inventory: Inventory, gate: PinGate) -> list[bytes]:
    """Deletes every block that no pin needs; their digests. Downloads under way begin again.

    Raises INTERNAL where a pin cannot be read, and then deletes nothing; STORAGE_UNREACHABLE.
    """
    with gate.collecting():
        needed = {_EMPTY_FOLDER} | {_digest(cid) for cid in node.pins()}
        removed: list[bytes] = []
        node.recycle(meanwhile=lambda: removed.extend(inventory.remove_all_but(needed)))
        return removed


def _digest(cid: str) -> bytes:
    """The sha2-256 digest in a CID of either version; somebody may have pinned what is no CIDv0."""
    if cid.startswith("Qm"):
        return digest_of(cid)
    text = cid[1:].upper()
    try:
        if not cid.startswith("b"):
            raise ValueError(cid)
        decoded = base64.b32decode(text + "=" * (-len(text) % 8))
        at = decoded.index(_SHA256, 1)
    except ValueError:
        decoded, at = b"", 0
    digest = decoded[at + len(_SHA256) :]
    if len(digest) != DIGEST_BYTES:
        raise FairshareError(
            Reason.INTERNAL,
            f"the pin {cid[:80]} has a digest of another kind",
            "unpin it, then collect again",
        )
    return digest
