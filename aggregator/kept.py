"""What an aggregator writes down of a round: opened updates, proofs and batches, each under its cohort."""

from __future__ import annotations

from collections.abc import Set

from marketplace.errors import FairshareError, Reason
from marketplace.node.journal import Journal
from marketplace.updates.batch import Batch, unpack_batch
from marketplace.updates.codec import pack_update, unpack_update
from marketplace.updates.envelope import OpenedUpdate
from zk import curve

UPDATE, PROOF, PROVED_SLOTS = "update", "proof", "proved-slots"
POSTED_SLOTS, POSTING, BATCH = "posted-slots", "posting", "batch"
FORGOTTEN = "forgotten"  # of the project: rounds below this one are no longer kept


class Kept:
    """The journal's part for one round of a project. Rounds are never numbered twice, so nothing in it goes stale."""

    def __init__(self, journal: Journal, project: int, round_: int) -> None:
        self._journal = journal
        self._project = project
        self._round = round_

    def keep_update(self, cohort: int, slot: int, opened: OpenedUpdate) -> None:
        """An opened update, with its commitment."""
        self._put_blob(
            f"{UPDATE}:{cohort}:{slot}", curve.to_bytes(opened.commitment) + pack_update(opened.update)
        )

    def update(self, cohort: int, slot: int, length: int) -> OpenedUpdate | None:
        """The update that was opened for a slot."""
        blob = self._blob(f"{UPDATE}:{cohort}:{slot}")
        if blob is None:
            return None
        return OpenedUpdate(unpack_update(blob[curve.SIZE :], length), curve.from_bytes(blob[: curve.SIZE]))

    def keep_proof(self, cohort: int, slots: Set[int], proof: bytes) -> None:
        """A proof over the updates of these slots."""
        with self._journal.atomic():
            self._put_blob(f"{PROOF}:{cohort}", proof)
            self._put(f"{PROVED_SLOTS}:{cohort}", sorted(slots))

    def proof(self, cohort: int, slots: Set[int]) -> bytes | None:
        """The proof over the updates of exactly these slots."""
        proved = self._get(f"{PROVED_SLOTS}:{cohort}")
        return self._blob(f"{PROOF}:{cohort}") if proved == sorted(slots) else None

    def keep_posting(self, cohort: int, index: int, slots: Set[int]) -> None:
        """A cohort's result, over the updates of these slots, is about to be posted in turn `index`."""
        with self._journal.atomic():
            self._put(POSTING, [cohort, index])
            self._put(f"{POSTED_SLOTS}:{cohort}", sorted(slots))

    def posting(self, index: int) -> int | None:
        """The cohort whose result may be under way in turn `index`: it must come before any other."""
        found = self._get(POSTING)
        return int(found[0]) if found is not None and found[1] == index else None

    def forget_posting(self) -> None:
        """That result was refused, or is there."""
        self._journal.delete(self._project, self._round, POSTING)

    def posted_slots(self, cohort: int) -> frozenset[int] | None:
        """Slots whose updates were in the result posted for a cohort."""
        found = self._get(f"{POSTED_SLOTS}:{cohort}")
        return None if found is None else frozenset(found)

    def keep_batch(self, cohort: int, batch: Batch) -> None:
        """The list of a cohort's batch."""
        self._put_blob(f"{BATCH}:{cohort}", batch.pack())

    def batch(self, cohort: int, root: bytes | None = None) -> Batch | None:
        """The list of a cohort's batch; with `root` only where it is the one behind it."""
        packed = self._blob(f"{BATCH}:{cohort}")
        if packed is None:
            return None
        batch = unpack_batch(packed)
        return batch if root in (None, batch.root) else None

    def _put(self, name: str, value: object) -> None:
        self._journal.put(self._project, self._round, name, value)

    def _get(self, name: str) -> list[int] | None:
        found: list[int] | None = self._journal.get(self._project, self._round, name)
        return found

    def _put_blob(self, name: str, value: bytes) -> None:
        self._journal.put_blob(self._project, self._round, name, value)

    def _blob(self, name: str) -> bytes | None:
        return self._journal.get_blob(self._project, self._round, name)


def forget_before(journal: Journal, project: int, round_: int) -> None:
    """Forget all that was kept of rounds before `round_`: nobody can ask for it any more."""
    for old in range(int(journal.get(project, 0, FORGOTTEN, 1)), round_):
        with journal.atomic():
            for name in journal.names(project, old):
                journal.delete(project, old, name)
            journal.put(project, 0, FORGOTTEN, old + 1)


def no_longer_kept(round_: int) -> FairshareError:
    """What was to be kept of a round is not there: another journal was used."""
    return FairshareError(
        Reason.NOT_FOUND,
        f"this node's journal does not have the updates of round {round_}",
        "run the aggregator with the state directory that it posted the result from",
    )
