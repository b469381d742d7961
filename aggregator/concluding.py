"""How a cohort's round ends in our turn: a result, or a skip where too few updates are left."""

from __future__ import annotations

from aggregator.behaviour import Behaviour, tampered
from aggregator.collecting import Case
from aggregator.kept import Kept
from aggregator.merging import commitments_of, round_result
from aggregator.path import Made, Path
from aggregator.proving import proof_of
from marketplace.chain.types import Block, Project, RoundResult, Settlement
from marketplace.errors import FairshareError
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.lifecycle import is_transient
from marketplace.node.telemetry.hooks import Work


def is_ready(project: Project, case: Case, block: Block) -> bool:
    """Whether the contract would take the case's result, or its skip, as far as complaints and updates go."""
    answered = not case.complained or block.timestamp >= project.answer_deadline
    return answered and not case.unknown


def conclude(
    node: ProjectDaemon, path: Path, behaviour: Behaviour, project: Project, case: Case, block: Block
) -> bool:
    """End a case that is ready; False for one that lies or was refused.

    Raises UNAVAILABLE while the model of before is not to be had.
    """
    updates = case.usable()
    trainers = [slot for slot in updates if slot < node.context.rules.slots]
    if len(trainers) < node.context.rules.quorum:
        return _skip(node, project, case)
    with node.telemetry.at_work(Work.COMMITTING):
        made = path.make(node, project, case, block)
    kept = Kept(node.journal, node.context.project, project.round)
    if node.context.terms.settlement is Settlement.PROVED:
        proof = proof_of(node, project.round, case.index, updates, path.limit)
    else:
        proof = commitments_of(node.context.rules, updates, node.context.committer.zero)
    digest = made.publish(serve=behaviour.serves_model(project.open_cohorts))
    result = round_result(project, case.index, made, case.arrived.arrivals, digest, proof)
    if behaviour.lies:
        _lie(node, project, made, result)
        return False
    kept.keep_posting(case.index, project.aggregator_index, set(updates))
    posted = _send(node, project, made, result)
    kept.forget_posting()
    if posted:
        _report(node, project, case, made)
    return posted


def _report(node: ProjectDaemon, project: Project, case: Case, made: Made) -> None:
    node.log.info(
        "result posted",
        round=project.round,
        cohort=case.index,
        merged=list(made.judgement.merged),
        absent=sorted(case.complained),
        left_out=sorted(case.left_out),
        struck=list(made.judgement.struck),
    )


def _skip(node: ProjectDaemon, project: Project, case: Case) -> bool:
    """Also where the batch of an aggregator before us cannot be opened: then nobody else may skip."""
    number, index = node.context.project, project.aggregator_index
    node.log.warning("too few updates", round=project.round, cohort=case.index, slots=sorted(case.updates))
    call = node.context.client.market.functions.skip(number, project.round, case.index)
    return node.attempt(f"skip:{number}:{project.round}:{case.index}:{index}", call, project.round)


def _send(
    node: ProjectDaemon, project: Project, made: Made, result: RoundResult, *, suffix: str = ""
) -> bool:
    number = node.context.project
    intent = f"result:{number}:{result.round}:{result.cohort}:{project.aggregator_index}{suffix}"
    return node.attempt(intent, made.call(result), result.round, project.result_deadline)


def _lie(node: ProjectDaemon, project: Project, made: Made, honest: RoundResult) -> None:
    for about, lie in tampered(honest, node.context.rules.slots):
        try:
            accepted = _send(node, project, made, lie, suffix=f":{about}")
        except FairshareError as error:
            if is_transient(error):
                raise
            node.log.warning("lie refused", round=project.round, about=about, problem=error.message)
            continue
        if accepted:
            node.log.error("a lie was accepted", round=project.round, about=about)
