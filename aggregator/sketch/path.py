"""The sketch path in an aggregator's hands: proofs about sketches, one update at a time in memory."""

from __future__ import annotations

import secrets
from collections.abc import Set

import numpy as np
from numpy.typing import NDArray
from web3.contract.contract import ContractFunction

from aggregator.arrived import Submission
from aggregator.behaviour import Behaviour
from aggregator.collecting import Case
from aggregator.complaining import FETCH_SHARE, MOST_FETCH_S, window
from aggregator.path import Input, Made
from aggregator.sketch.defending import answer
from aggregator.sketch.kept import KeptSketches, Sketched
from aggregator.sketch.merging import make
from aggregator.sketch.opening import open_committed
from marketplace.chain.types import Block, Challenge, Project, Terms
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.models import current_model, fetch_reference, keep_model
from marketplace.node.sketch.showing import stand_in
from marketplace.node.vectors import packed_bytes
from marketplace.protocol.krum import mask, members
from marketplace.protocol.sketch import Sketcher
from marketplace.updates.codec import packed_model_bytes
from marketplace.updates.envelope import sealed_bytes
from zk.curve import Point
from zk.prover import SKETCH_LIMIT

MODEL_S = 30.0  # for one attempt at the model of before
_BYTES_A_SECOND = 2_000_000  # as slow a peer is given the time for a whole update
_LEAST_FETCH_S = 0.5


class SketchPath:
    """See `aggregator.path.Path`."""

    limit = SKETCH_LIMIT
    at_once = 2
    announces = False  # trainers' work ahead would need the model merged before its turn

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._sketcher: tuple[bytes, Sketcher] | None = None  # it keeps what it drew by its seed

    def may_begin(self, project: Project) -> bool:
        """Once the seed is drawn, which anyone may do (`marketplace.node.overdue`)."""
        return project.seed_round == project.round

    def fetch_s(self, terms: Terms, wanted: int, size: int) -> float:
        """All attempts of one look together leave time to complain."""
        looks = -(-wanted // self.at_once) or 1
        most = max(MOST_FETCH_S, size / _BYTES_A_SECOND)
        return min(most, max(_LEAST_FETCH_S, FETCH_SHARE * window(terms) / looks))

    def sealed_bytes(self, node: ProjectDaemon) -> int:
        return sealed_bytes(packed_bytes(node.context))

    def recall(
        self, node: ProjectDaemon, round_: int, cohort: int, slot: int, seed: bytes | None = None
    ) -> tuple[Point, Input] | None:
        kept = KeptSketches(node.journal, node.context, round_)
        sketched = kept.sketched(cohort, slot, seed)
        if sketched is None and seed is not None and kept.has(cohort, slot):
            sketched = self._sketched(node, kept.update(cohort, slot), slot, seed)
            kept.keep_sketch(cohort, slot, sketched, seed)
        if sketched is None:
            return None
        return Point(int.from_bytes(kept.root(cohort, slot), "big"), node.context.chunks), sketched

    def open(
        self,
        node: ProjectDaemon,
        project: Project,
        cohort: int,
        submission: Submission,
        blob: bytes,
        key: bytes | None,
    ) -> Input:
        context = node.context
        bound_to = context.update_context(project.round, submission.holder)
        opened = open_committed(context, node.key, bound_to, submission.digest, blob, key)
        sketched = self._sketched(node, opened.update, submission.slot, project.sketch_seed)
        kept = KeptSketches(node.journal, context, project.round)
        with node.journal.atomic():
            kept.keep(cohort, submission.slot, opened)
            kept.keep_sketch(cohort, submission.slot, sketched, project.sketch_seed)
        return sketched

    def take_answers(self, node: ProjectDaemon, project: Project, case: Case, block: Block) -> None:
        """One chunk is no update: the rest has to come from storage as before."""

    def left_out(self, project: Project, case: Case, block: Block) -> frozenset[int]:
        """Who answered a complaint and cannot be had all the same, once all complaints have had their time."""
        if block.timestamp < project.answer_deadline:
            return frozenset()
        answered = set(members(case.cohort.answered)) & set(case.arrived.submissions)
        return frozenset(answered - set(case.updates))

    def complaint(
        self, node: ProjectDaemon, project: Project, case: Case, slots: Set[int]
    ) -> ContractFunction:
        """It names the first chunk that is false, or one that nobody can foresee."""
        context = node.context
        chunks = [case.false_chunks.get(slot, secrets.randbelow(context.chunks)) for slot in sorted(slots)]
        arrived = case.arrived.arrivals.to_abi()
        market = context.client.market.functions
        return market.complainChunks(context.project, project.round, case.index, mask(slots), chunks, arrived)

    def make(self, node: ProjectDaemon, project: Project, case: Case, block: Block) -> Made:
        reference = current_model(node.context, project, block.number)
        return make(node, self._behaviour, project, case, reference, MODEL_S)

    def answer(self, node: ProjectDaemon, project: Project, challenge: Challenge, block: Block) -> None:
        answer(node, self._behaviour, project, challenge, block)

    def hold(self, node: ProjectDaemon, project: Project, block: Block, timeout_s: float) -> None:
        context = node.context
        timeout_s += packed_model_bytes(context.length) / _BYTES_A_SECOND
        reference = current_model(context, project, block.number)
        fetch_reference(context, reference, timeout_s)
        keep_model(context, reference, timeout_s)

    def stand_in(self, node: ProjectDaemon, project: Project, index: int, block: Block) -> None:
        stand_in(node.context, node.sender, node.journal, node.log, project, block, index)

    def _sketched(self, node: ProjectDaemon, update: NDArray[np.int16], slot: int, seed: bytes) -> Sketched:
        sketch = self._behaviour.sketch(self._sketcher_of(node, seed).sketch(update), slot)
        return Sketched(sketch, node.context.tree_committer.sketch_commitment(sketch))

    def _sketcher_of(self, node: ProjectDaemon, seed: bytes) -> Sketcher:
        if self._sketcher is None or self._sketcher[0] != seed:
            self._sketcher = seed, node.context.sketcher(seed)
        return self._sketcher[1]
