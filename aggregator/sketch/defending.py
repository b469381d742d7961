"""Questions about a result of ours on the sketch path, answered from what is published and what our journal has."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aggregator.behaviour import Behaviour
from aggregator.sketch.kept import KeptSketches
from marketplace.chain.events import SketchAnswered, SketchQuestioned, fetch
from marketplace.chain.types import Block, Challenge, ChallengeKind, Project, SketchFacts
from marketplace.errors import FairshareError, Reason
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.lagging import lagging
from marketplace.node.sketch.answers import challenge_of, values_of
from marketplace.node.sketch.artifacts import Shelf, reference_of
from marketplace.node.sketch.record import RoundRecord, record_of
from marketplace.node.sketch.showing import show
from marketplace.node.sketch.sums import move
from marketplace.protocol.sketch_check import SUM
from zk import felts
from zk.opening import open_value

MODEL_S = 10.0  # for one attempt at a model, which our own storage has


def answer(
    node: ProjectDaemon, behaviour: Behaviour, project: Project, challenge: Challenge, block: Block
) -> None:
    """Answer the open question; what keeps us from it is only reported, and tried again with the next block."""
    if challenge.kind is ChallengeKind.CHUNK:
        if behaviour.answers_for_model():
            show(node.context, node.sender, node.journal, node.log, project, block, MODEL_S)
    elif challenge.kind is ChallengeKind.SKETCH and behaviour.answers_for_sketch():
        try:
            _answer_sketch(node, behaviour, project, block)
        except FairshareError as error:
            if error.reason not in (Reason.UNAVAILABLE, Reason.INTEGRITY, Reason.NOT_FOUND):
                raise
            node.log.error("cannot answer", round=project.outcome_round, problem=error.message)


def _answer_sketch(node: ProjectDaemon, behaviour: Behaviour, project: Project, block: Block) -> None:
    context, round_ = node.context, project.outcome_round
    asked = fetch(context.client, [SketchQuestioned], context.project, round_, to_block=block.number)
    if not asked:
        raise lagging(context.client, "the endpoint does not serve the question")
    facts = asked[-1].facts
    given = fetch(context.client, [SketchAnswered], context.project, round_, to_block=block.number)
    if given and given[-1].block_number >= asked[-1].block_number:
        return  # it stands until it is refuted or closed
    node.log.warning("sketch challenged: answering", round=round_, cohort=facts.cohort, slot=facts.slot)
    record = record_of(context, round_, block.number)
    vector = _vector(node, record, facts)
    true = values_of(context, facts, vector)
    posted = _posted(node, record, facts)
    if posted is None:  # part of the sum was another aggregator's
        posted = context.sketcher(facts.seed).sketch(vector)
    due, proof = open_value(context.circuit, posted, challenge_of(context, facts))
    values = behaviour.values(true, due)
    if sum(values) % felts.FIELD != due:
        node.log.error("cannot answer: another sketch was posted than the data give", round=round_)
        return
    call = context.client.market.functions.answerSketch(context.project, facts.to_abi(), values, proof)
    intent = f"answer-sketch:{context.project}:{round_}:{facts.cohort}:{facts.slot}"
    if node.attempt(intent, call, round_):
        node.log.info("answered", round=round_, cohort=facts.cohort, slot=facts.slot)


def _vector(node: ProjectDaemon, record: RoundRecord, facts: SketchFacts) -> NDArray[np.signedinteger[Any]]:
    """What the sketch is of: an update that we kept, or the model's move."""
    if facts.slot != SUM:
        return KeptSketches(node.journal, node.context, facts.round).update(facts.cohort, facts.slot)
    shelf = Shelf(node.context, node.journal, MODEL_S)
    after = reference_of(node.context, record.merging[-1])
    return move(shelf.model(record.before), shelf.model(after))


def _posted(node: ProjectDaemon, record: RoundRecord, facts: SketchFacts) -> NDArray[np.int64] | None:
    """The sketch that was proved: of an input, or the sum of all that were merged; None where we did not prove all."""
    kept = KeptSketches(node.journal, node.context, facts.round)
    wanted = (
        [(result.cohort, slot) for result in record.merging for slot in result.merged]
        if facts.slot == SUM
        else [(facts.cohort, facts.slot)]
    )
    total = np.zeros(node.context.width, dtype=np.int64)
    for cohort, slot in wanted:
        sketched = kept.sketched(cohort, slot)
        if sketched is None:
            return None
        total += sketched.update
    return total
