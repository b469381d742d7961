"""An update made ready for submission: kept in the journal before anything of it leaves the node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.node.journal import Journal
from marketplace.node.vectors import Committed
from marketplace.protocol.chunk_tree import Leaf
from marketplace.storage.cid import cid_of
from marketplace.updates.codec import pack_update, unpack_update
from marketplace.updates.leaves import pack_leaves, unpack_leaves
from trainer_node.privacy_budget import SECRETS
from zk.curve import Point

RECORD, UPDATE, SEALED, CONTENT_KEY = "update", "packed-update", "sealed-update", "content-key"
LEAVES, SERVED = "leaves", "served"
NAMES = (RECORD, UPDATE, SEALED, CONTENT_KEY, LEAVES)  # of all that is kept of a submission
FORGOTTEN = "forgotten"  # of the project: submissions of rounds below this one are no longer kept


@dataclass(frozen=True)
class Own:
    """What only the maker of an update has."""

    update: NDArray[np.int16]  # [d]
    commitment: Point
    blob: bytes  # sealed
    content_key: bytes
    leaves: tuple[Leaf, ...] = ()  # on the sketch path

    @property
    def committed(self) -> Committed:
        """The update with what is committed to."""
        return Committed(self.update, self.commitment, self.leaves)


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
                if self.own.leaves:
                    journal.put_blob(project, self.round, draft + LEAVES, pack_leaves(self.own.leaves))
                record |= {
                    "length": self.own.update.size,
                    "x": str(self.own.commitment.x),
                    "y": str(self.own.commitment.y),
                }
            journal.put(project, self.round, draft + RECORD, record)

    @staticmethod
    def recall(journal: Journal, project: int, round_: int, draft: str = "") -> Prepared | None:
        """What was kept for a round. Raises INTEGRITY where it reads otherwise than it was written."""
        record = journal.get(project, round_, draft + RECORD)
        if record is None:
            return None
        try:
            return Prepared._read(journal, project, round_, draft, record)
        except (ValueError, TypeError, KeyError) as error:
            raise FairshareError(
                Reason.INTEGRITY,
                f"the journal's record of round {round_}'s update is damaged",
                "restore the journal from a backup, or sit the round out",
            ) from error

    @staticmethod
    def _read(journal: Journal, project: int, round_: int, draft: str, record: Any) -> Prepared:
        packed, blob, key = (
            journal.get_blob(project, round_, draft + name) for name in (UPDATE, SEALED, CONTENT_KEY)
        )
        own = None
        if packed is not None and blob is not None and key is not None:
            commitment = Point(int(record["x"]), int(record["y"]))
            update = unpack_update(packed, record["length"])
            kept = journal.get_blob(project, round_, draft + LEAVES)
            leaves = () if kept is None else unpack_leaves(kept, commitment.y)
            own = Own(update, commitment, blob, key, leaves)
        return Prepared(
            round_, bytes.fromhex(record["digest"]), record["cid"], record["aggregator_index"], own
        )


def forget_before(journal: Journal, project: int, round_: int) -> None:
    """Forget the submissions of rounds before `round_`: nobody can ask for them any more, and large ones add up.

    So are the secrets of their noise: whoever learns one can take the noise off the update.
    """
    for old in range(int(journal.get(project, 0, FORGOTTEN, 1)), round_):
        with journal.atomic():
            for name in (*NAMES, SECRETS):
                journal.delete(project, old, name)
            journal.put(project, 0, FORGOTTEN, old + 1)
