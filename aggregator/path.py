"""What the steps of an aggregator's round do differently on a project's path, exact or sketch: one seam for both.

`aggregator.exact` and `aggregator.sketch` are the two sides of it; `aggregator.paths` chooses, once for a project.
"""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from web3.contract.contract import ContractFunction

from aggregator.arrived import Submission
from marketplace.chain.types import Block, Challenge, Project, RoundResult, Terms
from marketplace.errors import FairshareError, Reason
from marketplace.node.daemon import ProjectDaemon
from marketplace.protocol.gram import Gram
from marketplace.protocol.krum import Judgement
from zk.curve import Point

if TYPE_CHECKING:
    from aggregator.collecting import Case


class Input(Protocol):
    """What a proof takes of a slot: a vector and its commitment. On the sketch path those of the update's sketch."""

    @property
    def update(self) -> NDArray[np.integer[Any]]: ...
    @property
    def commitment(self) -> Point: ...


class Made(Protocol):
    """A cohort's round, judged and merged: everything but its proof."""

    @property
    def gram(self) -> Gram: ...
    @property
    def judgement(self) -> Judgement: ...

    def publish(self, *, serve: bool) -> bytes:
        """Hand to storage what the result names (`serve`: else only name it); its digest on chain, 32 bytes."""

    def call(self, result: RoundResult) -> ContractFunction:
        """The call that posts `result`."""


class NotCommitted(FairshareError):
    """INTEGRITY: an update is not what was committed to. `chunk`: the first false one, on the sketch path."""

    def __init__(self, message: str, chunk: int | None = None) -> None:
        super().__init__(Reason.INTEGRITY, message)
        self.chunk = chunk


class Path(Protocol):
    """One of the two paths, and how this aggregator behaves on it."""

    limit: int  # entries of an input are less in size
    at_once: int  # sealed updates in memory
    announces: bool  # whether trainers are shown the model before its proof is made

    def may_begin(self, project: Project) -> bool:
        """Whether updates can be taken in, once their window is closed."""

    def fetch_s(self, terms: Terms, wanted: int, size: int) -> float:
        """Seconds for one attempt at an update of `size` bytes sealed, where so many are `wanted`."""

    def sealed_bytes(self, node: ProjectDaemon) -> int:
        """Size of a sealed update."""

    def recall(
        self, node: ProjectDaemon, round_: int, cohort: int, slot: int, seed: bytes | None = None
    ) -> tuple[Point, Input] | None:
        """What was submitted for a slot and its input, where an earlier run of this node has opened them.

        `seed`: of the round's sketches, where the input must be by that one; it is made anew where it is not.
        """

    def open(
        self,
        node: ProjectDaemon,
        project: Project,
        cohort: int,
        submission: Submission,
        blob: bytes,
        key: bytes | None,
    ) -> Input:
        """Open a sealed update, check and keep it; `key`: sealed anew. INTEGRITY, NotCommitted where it is false."""

    def take_answers(self, node: ProjectDaemon, project: Project, case: Case, block: Block) -> None:
        """What complaints brought on chain."""

    def left_out(self, project: Project, case: Case, block: Block) -> frozenset[int]:
        """Slots that a result may leave out without blame."""

    def complaint(
        self, node: ProjectDaemon, project: Project, case: Case, slots: Set[int]
    ) -> ContractFunction:
        """The call that complains about `slots`."""

    def make(self, node: ProjectDaemon, project: Project, case: Case, block: Block) -> Made:
        """Judge and merge what a case has; UNAVAILABLE while the model of before is not to be had."""

    def answer(self, node: ProjectDaemon, project: Project, challenge: Challenge, block: Block) -> None:
        """Answer an open challenge of a result of ours, but a demand for its proof."""

    def hold(self, node: ProjectDaemon, project: Project, block: Block, timeout_s: float) -> None:
        """Have our storage hold the current model, and what is asked about it. UNAVAILABLE, INTEGRITY."""

    def stand_in(self, node: ProjectDaemon, project: Project, index: int, block: Block) -> None:
        """Answer for another's result where it is time and we can. `index`: ours."""
