"""An update made ready for submission: kept in the journal before anything of it leaves the node."""

from __future__ import annotations

from dataclasses import dataclass

from marketplace.node.journal import Journal
from marketplace.storage.cid import cid_of
from zk.curve import Point

RECORD, SEALED, CONTENT_KEY, SERVED = "update", "sealed-update", "content-key", "served"


@dataclass(frozen=True)
class Prepared:
    """A round's submission. Once journalled it never changes: a restarted node submits the same."""

    round: int
    commitment: Point
    cid: str  # of the sealed update
    aggregator_index: int  # to which it is sealed
    blob: bytes | None  # None where the blob is another's (an attack)
    content_key: bytes | None

    def keep(self, journal: Journal, project: int) -> None:
        """Write it down, all or nothing."""
        with journal.atomic():
            if self.blob is not None and self.content_key is not None:
                journal.put_blob(project, self.round, SEALED, self.blob)
                journal.put_blob(project, self.round, CONTENT_KEY, self.content_key)
            journal.put(
                project,
                self.round,
                RECORD,
                {
                    "x": str(self.commitment.x),
                    "y": str(self.commitment.y),
                    "cid": self.cid,
                    "aggregator_index": self.aggregator_index,
                },
            )

    @staticmethod
    def recall(journal: Journal, project: int, round_: int) -> Prepared | None:
        """What was kept for a round."""
        record = journal.get(project, round_, RECORD)
        if record is None:
            return None
        return Prepared(
            round_,
            Point(int(record["x"]), int(record["y"])),
            record["cid"],
            record["aggregator_index"],
            journal.get_blob(project, round_, SEALED),
            journal.get_blob(project, round_, CONTENT_KEY),
        )

    @staticmethod
    def of_sealed(round_: int, commitment: Point, aggregator_index: int, blob: bytes, key: bytes) -> Prepared:
        """A sealed update of one's own."""
        return Prepared(round_, commitment, cid_of(blob), aggregator_index, blob, key)
