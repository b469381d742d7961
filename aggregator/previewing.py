"""Before the proofs are made: all of a round's are begun, and the model that the round will have merged is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aggregator.behaviour import Behaviour
from aggregator.collecting import Case
from aggregator.merging import merge
from aggregator.path import Path
from aggregator.proof_queue import ProofQueue
from aggregator.proving import begin_proof, finish_proof
from aggregator.sealing import published
from marketplace.chain.types import Block, Project, Settlement
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.models import fetch_current
from marketplace.node.previews import Preview
from marketplace.storage.reasons import Purpose

MODEL_S = 10.0  # for one attempt at the model that the round started from


@dataclass
class Ahead:
    """What an aggregator does of a round before it can be posted. `announce`: shows a preview to trainers."""

    queue: ProofQueue
    announce: Callable[[Preview], None] | None = None
    _announced: set[tuple[int, int]] = field(default_factory=set)  # round, and whose turn it was

    def begin(
        self,
        node: ProjectDaemon,
        path: Path,
        behaviour: Behaviour,
        project: Project,
        cases: Sequence[Case],
        *,
        whole: bool,
        block: Block,
    ) -> None:
        """Start the proofs of cohorts that are ready, and show the model after them where that is the `whole` round."""
        if node.context.terms.settlement is not Settlement.PROVED:
            return  # results are posted at once
        merged = [case for case in cases if _has_quorum(node, case)]
        for case in merged:
            begin_proof(self.queue, node, project.round, case.index, case.usable(), path.limit)
        turn = project.round, project.aggregator_index
        if self.announce is None or not path.announces or not whole or not merged or turn in self._announced:
            return
        if behaviour.serves_model(1) and project.round < project.last_round:
            self.announce(preview_of(node, behaviour, project, merged, block))
            node.log.info("model announced", round=project.round)
        self._announced = {turn}

    def finish(self, node: ProjectDaemon, project: Project, case: Case) -> None:
        """Wait for the proof of a case that was begun."""
        finish_proof(self.queue, node, project.round, case.index, case.usable())


def preview_of(
    node: ProjectDaemon, behaviour: Behaviour, project: Project, cases: Sequence[Case], block: Block
) -> Preview:
    """The model after these cohorts' results, handed to storage. Their order does not matter: updates add up.

    Raises UNAVAILABLE while the model of before is not to be had.
    """
    model = fetch_current(node.context, project, block.number, MODEL_S)
    packed = b""
    for case in cases:
        made = merge(node.context.rules, model, case.usable(), case.arrived.positions, behaviour)
        model, packed = made.model, made.packed_model()
    file = published(node, project.round, packed)
    cid = node.context.store.add(file, node.context.why(project.round, Purpose.PREVIEW))
    return Preview(node.context.project, project.round, cid, node.context.committer.commit(model))


def _has_quorum(node: ProjectDaemon, case: Case) -> bool:
    trainers = [slot for slot in case.usable() if slot < node.context.rules.slots]
    return len(trainers) >= node.context.rules.quorum
