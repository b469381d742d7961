"""An input of a round that is ours: only its maker knows whether what a result says about its sketch is true."""

from __future__ import annotations

from dataclasses import dataclass

from marketplace.node.sketch.record import CohortRecord, RoundRecord
from marketplace.node.vectors import Committed
from zk.curve import x_bytes


@dataclass(frozen=True)
class OwnInput:
    """A trainer's update in its seat, or the owner's reference in every cohort."""

    committed: Committed
    slot: int
    cohort: int | None  # None: every one

    def results(self, record: RoundRecord) -> list[CohortRecord]:
        """The results that it is present in, under the root that we committed to."""
        root = x_bytes(self.committed.commitment)
        return [
            result
            for result in record.results
            if self.cohort in (None, result.cohort)
            and result.statement.present >> self.slot & 1
            and result.statement.roots[self.slot] == root
        ]
