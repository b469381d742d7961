"""Watching over a closed round on the sketch path: what every member looks at, and what a result says of our update."""

from __future__ import annotations

from web3.contract.contract import ContractFunction

from marketplace.chain.events import ResultPosted
from marketplace.chain.types import Block, ChallengeKind, Project, Settlement
from marketplace.node.challenging import STAGGERED
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.outcomes import posted_result
from marketplace.node.seats import seat_in_round
from marketplace.node.sketch.faults import Question
from marketplace.node.sketch.own import OwnInput
from marketplace.node.sketch.questions import question_call
from marketplace.node.sketch.record import record_of, seed_of
from marketplace.node.sketch.watching import guard_round
from trainer_node.challenging import Doubt, false_square, watch_proof
from trainer_node.prepared import Prepared


def watch_results(
    node: ProjectDaemon, project: Project, number: int, doubt: Doubt, block: Block, *, contests: bool
) -> None:
    """See `trainer_node.path`. `contests`: whether to look at what the result says of our own update."""

    def own(round_: int) -> OwnInput | None:
        return _own(node, project, number, round_) if contests else None

    guard_round(node, project, min(number, STAGGERED), own, block)
    if node.context.terms.settlement is Settlement.ON_DEMAND:
        watch_proof(node, project, number, doubt, block, SketchedStatement(node, block))


class SketchedStatement:
    """See `trainer_node.challenging.Statement`."""

    def __init__(self, node: ProjectDaemon, block: Block) -> None:
        self._node, self._block = node, block

    def false_norm(self, event: ResultPosted, slot: int, prepared: Prepared) -> str | None:
        context = self._node.context
        if prepared.own is None:
            return None
        gram = posted_result(context.client, context.project, event).gram
        seed = seed_of(context, event.round, self._block.number)
        sketch = context.sketcher(seed).sketch(prepared.own.update)
        return false_square(context, gram, slot, sketch)

    def demand(self, round_: int, cohort: int) -> ContractFunction:
        context = self._node.context
        record = record_of(context, round_, self._block.number)
        return question_call(context, record, Question(ChallengeKind.PROOF, cohort, "demanded"))


def _own(node: ProjectDaemon, project: Project, number: int, round_: int) -> OwnInput | None:
    """Our update of a round, as it was submitted."""
    seat = seat_in_round(project, node.context.terms.slots, round_, number)
    prepared = Prepared.recall(node.journal, node.context.project, round_)
    if seat is None or prepared is None or prepared.own is None:
        return None
    return OwnInput(prepared.own.committed, seat.slot, seat.cohort)
