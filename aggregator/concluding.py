"""How a cohort's round ends in our turn: a result, or a skip where too few updates are left."""

from __future__ import annotations

from aggregator.behaviour import Behaviour, tampered
from aggregator.collecting import Case
from aggregator.kept import Kept
from aggregator.merging import Merge, commitments_of, merge, round_result
from aggregator.proving import proof_of
from marketplace.chain.types import Block, Project, RoundResult, Settlement
from marketplace.errors import FairshareError
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.lifecycle import is_transient
from marketplace.node.models import fetch_current
from marketplace.storage.cid import cid_of, digest_of

MODEL_S = 10.0  # for one attempt at the model that the round started from


def is_ready(project: Project, case: Case, block: Block) -> bool:
    """Whether the contract would take the case's result, or its skip, as far as complaints and updates go."""
    answered = not case.complained or block.timestamp >= project.answer_deadline
    return answered and not case.unknown


def conclude(node: ProjectDaemon, behaviour: Behaviour, project: Project, case: Case, block: Block) -> bool:
    """End a case that is ready; False for one that lies or was refused.

    Raises UNAVAILABLE while the model of before is not to be had.
    """
    updates = case.usable()
    trainers = [slot for slot in updates if slot < node.context.rules.slots]
    if len(trainers) < node.context.rules.quorum:
        return _skip(node, project, case)
    model = fetch_current(node.context, project, block.number, MODEL_S)
    merged = merge(node.context.rules, model, updates, case.arrived.positions, behaviour)
    kept = Kept(node.journal, node.context.project, project.round)
    if node.context.terms.settlement is Settlement.PROVED:
        proof = proof_of(node, project.round, case.index, updates)
    else:
        proof = commitments_of(node.context.rules, updates, node.context.committer.zero)
    cid = cid_of(merged.packed_model())
    if behaviour.serves_model(project.open_cohorts):
        node.context.store.add(merged.packed_model())
    result = round_result(project.round, case.index, merged, case.arrived.arrivals, digest_of(cid), proof)
    if behaviour.lies:
        _lie(node, project, result)
        return False
    kept.keep_posting(case.index, project.aggregator_index, set(updates))
    posted = _send(node, project, result)
    kept.forget_posting()
    if posted:
        _report(node, project, case, merged)
    return posted


def _report(node: ProjectDaemon, project: Project, case: Case, merged: Merge) -> None:
    node.log.info(
        "result posted",
        round=project.round,
        cohort=case.index,
        merged=list(merged.judgement.merged),
        absent=sorted(case.complained),
        struck=list(merged.judgement.struck),
    )


def _skip(node: ProjectDaemon, project: Project, case: Case) -> bool:
    """Also where the batch of an aggregator before us cannot be opened: then nobody else may skip."""
    number, index = node.context.project, project.aggregator_index
    node.log.warning("too few updates", round=project.round, cohort=case.index, slots=sorted(case.updates))
    call = node.context.client.market.functions.skip(number, project.round, case.index)
    return node.attempt(f"skip:{number}:{project.round}:{case.index}:{index}", call, project.round)


def _send(node: ProjectDaemon, project: Project, result: RoundResult, *, suffix: str = "") -> bool:
    number = node.context.project
    call = node.context.client.market.functions.postResult(number, result.to_abi())
    intent = f"result:{number}:{result.round}:{result.cohort}:{project.aggregator_index}{suffix}"
    return node.attempt(intent, call, result.round)


def _lie(node: ProjectDaemon, project: Project, honest: RoundResult) -> None:
    for about, lie in tampered(honest, node.context.rules.slots):
        try:
            accepted = _send(node, project, lie, suffix=f":{about}")
        except FairshareError as error:
            if is_transient(error):
                raise
            node.log.warning("lie refused", round=project.round, about=about, problem=error.message)
            continue
        if accepted:
            node.log.error("a lie was accepted", round=project.round, about=about)
