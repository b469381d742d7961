"""An update made ready for submission: kept in the journal before anything of it leaves the node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.node.journal import Journal
from marketplace.storage.cid import cid_of
from marketplace.updates.codec import pack_update, unpack_update
from zk.curve import Point

RECORD, UPDATE, SEALED, CONTENT_KEY, SERVED = (
    "update",
    "packed-update",
    "sealed-update",
    "content-key",
    "served",
)


@dataclass(frozen=True)
class Own:
    """What only the maker of an update has."""

    update: NDArray[np.int16]  # [d]
    commitment: Point
    blob: bytes  # sealed
    content_key: bytes


@dataclass(frozen=True)
class Prepared:
    """A round's submission. Once journalled it never changes: a restarted node submits the same."""

    round: int
    digest: bytes  # of commitment and trainer
    cid: str  # of the sealed update
    aggregator_index: int  # to which it is sealed
    own: Own | None  # None where the submission is another's (an attack)

    @staticmethod
    def of(round_: int, digest: bytes, aggregator_index: int, own: Own) -> Prepared:
        """An update of one's own."""
        return Prepared(round_, digest, cid_of(own.blob), aggregator_index, own)

    def keep(self, journal: Journal, project: int, draft: str = "") -> None:
        """Write it down, all or nothing; with `draft`, a prefix, as one that may come to nothing."""
        record: dict[str, Any] = {
            "digest": self.digest.hex(),
            "cid": self.cid,
            "aggregator_index": self.aggregator_index,
        }
        with journal.atomic():
            if self.own is not None:
                journal.put_blob(project, self.round, draft + UPDATE, pack_update(self.own.update))
                journal.put_blob(project, self.round, draft + SEALED, self.own.blob)
                journal.put_blob(project, self.round, draft + CONTENT_KEY, self.own.content_key)
                record |= {
                    "length": self.own.update.size,
                    "x": str(self.own.commitment.x),
                    "y": str(self.own.commitment.y),
                }
            journal.put(project, self.round, draft + RECORD, record)

    @staticmethod
    def recall(journal: Journal, project: int, round_: int, draft: str = "") -> Prepared | None:
        """What was kept for a round."""
        record = journal.get(project, round_, draft + RECORD)
        if record is None:
            return None
        packed, blob, key = (
            journal.get_blob(project, round_, draft + name) for name in (UPDATE, SEALED, CONTENT_KEY)
        )
        own = None
        if packed is not None and blob is not None and key is not None:
            commitment = Point(int(record["x"]), int(record["y"]))
            own = Own(unpack_update(packed, record["length"]), commitment, blob, key)
        return Prepared(
            round_, bytes.fromhex(record["digest"]), record["cid"], record["aggregator_index"], own
        )
