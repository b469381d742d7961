"""What an aggregator writes down of an update on the sketch path: it, its leaves and root; after the draw its sketch.

Only the sketch is at hand in memory; the others are read where they are needed, one update at a time. All of it goes
with the round (`aggregator.kept.forget_before`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aggregator.kept import no_longer_kept
from marketplace.node.journal import Journal
from marketplace.node.project import ProjectContext
from marketplace.node.vectors import Committed
from marketplace.protocol.chunk_tree import Leaf
from marketplace.updates.codec import pack_update, unpack_update
from marketplace.updates.leaves import pack_leaves, unpack_leaves
from zk import curve
from zk.curve import Point

UPDATE, LEAVES, ROOT, SKETCH, SEED = "update", "leaves", "root", "sketched", "sketch-seed"


@dataclass(frozen=True)
class Sketched:
    """An input of the proof: the sketch of an update, int64 [k], and its commitment S."""

    update: NDArray[np.int64]
    commitment: Point


class KeptSketches:
    """The journal's part for one round of a project."""

    def __init__(self, journal: Journal, context: ProjectContext, round_: int) -> None:
        self._journal, self._context, self._round = journal, context, round_

    def keep(self, cohort: int, slot: int, opened: Committed) -> None:
        """An opened update, in the place of another and of its sketch: all of it, or nothing."""
        with self._journal.atomic():
            self._put(UPDATE, cohort, slot, pack_update(opened.update))
            self._put(LEAVES, cohort, slot, pack_leaves(opened.leaves))
            self._put(ROOT, cohort, slot, curve.x_bytes(opened.commitment))
            for name in (SKETCH, SEED):
                self._journal.delete(self._context.project, self._round, f"{name}:{cohort}:{slot}")

    def keep_sketch(self, cohort: int, slot: int, sketched: Sketched, seed: bytes) -> None:
        """The sketch of the update that was kept. `seed`: that it is by, 32 bytes."""
        numbers = sketched.update.astype("<i8").tobytes()
        with self._journal.atomic():
            self._put(SKETCH, cohort, slot, curve.to_bytes(sketched.commitment) + numbers)
            self._put(SEED, cohort, slot, seed)

    def sketched(self, cohort: int, slot: int, seed: bytes | None = None) -> Sketched | None:
        """The input that was kept for a slot; with `seed` only where it is by that one, which a reorganisation
        draws anew."""
        kept = self._blob(SKETCH, cohort, slot)
        if kept is None or (seed is not None and self._blob(SEED, cohort, slot) != seed):
            return None
        point = curve.from_bytes(kept[: curve.SIZE])
        numbers = np.frombuffer(kept[curve.SIZE :], dtype="<i8").astype(np.int64)
        return Sketched(numbers, point)

    def root(self, cohort: int, slot: int) -> bytes:
        """The root that the update was committed to by, 32 bytes. NOT_FOUND as `update`."""
        return self._found(ROOT, cohort, slot)

    def has(self, cohort: int, slot: int) -> bool:
        """Whether an update was kept for a slot."""
        return self._blob(ROOT, cohort, slot) is not None

    def update(self, cohort: int, slot: int) -> NDArray[np.int16]:
        """The update; NOT_FOUND where this journal does not have it."""
        return unpack_update(self._found(UPDATE, cohort, slot), self._context.length)

    def leaves(self, cohort: int, slot: int) -> tuple[Leaf, ...]:
        """Its leaves; NOT_FOUND as `update`."""
        return unpack_leaves(self._found(LEAVES, cohort, slot), self._context.chunks)

    def _found(self, name: str, cohort: int, slot: int) -> bytes:
        found = self._blob(name, cohort, slot)
        if found is None:
            raise no_longer_kept(self._round)
        return found

    def _blob(self, name: str, cohort: int, slot: int) -> bytes | None:
        return self._journal.get_blob(self._context.project, self._round, f"{name}:{cohort}:{slot}")

    def _put(self, name: str, cohort: int, slot: int, value: bytes) -> None:
        self._journal.put_blob(self._context.project, self._round, f"{name}:{cohort}:{slot}", value)
