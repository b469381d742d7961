"""A content store in memory, for tests whose subject is not storage: the calls and errors of `ContentStore`."""

from __future__ import annotations

from marketplace.errors import FairshareError, Reason
from marketplace.storage.cid import cid_of, digest_of
from marketplace.storage.reasons import Why


class LocalStore:
    """Blobs by CID. `alter` and `lose` make it the bad peer that a test needs."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.kept: list[tuple[str, Why | None]] = []

    def ping(self) -> None:
        """Always there."""

    def peers(self) -> list[str]:
        """None: it is alone."""
        return []

    def add(self, data: bytes, why: Why | None = None) -> str:
        """Stores `data`; its CID."""
        cid = cid_of(data)
        self.kept.append((cid, why))
        self.blobs[cid] = data
        return cid

    def keep(self, cid: str, max_bytes: int, why: Why) -> None:
        """As ContentStore.keep."""
        self.fetch(cid, max_bytes=max_bytes, timeout_s=0)
        self.kept.append((cid, why))

    def fetch(self, cid: str, *, max_bytes: int, timeout_s: float) -> bytes:
        """As ContentStore.fetch: UNAVAILABLE, TOO_LARGE, INTEGRITY."""
        digest_of(cid)
        if cid not in self.blobs:
            raise FairshareError(Reason.UNAVAILABLE, f"nobody serves {cid} in time")
        data = self.blobs[cid]
        if len(data) > max_bytes:
            raise FairshareError(Reason.TOO_LARGE, f"{cid} is larger than the {max_bytes} bytes that are due")
        if cid_of(data) != cid:
            raise FairshareError(Reason.INTEGRITY, f"what came for {cid} is not what it names")
        return data

    def altered(self, cid: str, place: int = 20) -> LocalStore:
        """A copy in which one byte of a blob differs."""
        other = self.without(cid)
        data = bytearray(self.blobs[cid])
        data[place % len(data)] ^= 1
        other.blobs[cid] = bytes(data)
        return other

    def without(self, cid: str) -> LocalStore:
        """A copy without a blob."""
        other = LocalStore()
        other.blobs = {known: data for known, data in self.blobs.items() if known != cid}
        return other
