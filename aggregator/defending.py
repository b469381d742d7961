"""Challenges, answered before their deadline: our bond is at stake, or, where another's model is missing, our work."""

from __future__ import annotations

from aggregator.behaviour import Behaviour
from aggregator.kept import Kept, no_longer_kept
from aggregator.merging import commitments_of, gram_of
from aggregator.path import Input, Path
from aggregator.proving import proof_of
from marketplace.chain.events import Challenged, fetch
from marketplace.chain.types import Block, Challenge, ChallengeKind, Project
from marketplace.errors import FairshareError, Reason
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.lagging import lagging
from marketplace.node.outcomes import statement
from marketplace.protocol.field import to_felt


def defend(
    node: ProjectDaemon, path: Path, behaviour: Behaviour, project: Project, index: int, block: Block
) -> bool:
    """Answer an open challenge of a result of ours (`index`: our place), or stand in; whether one is open at all."""
    challenge = node.context.client.challenge(node.context.project, block=block.number)
    if challenge.kind is ChallengeKind.NONE:
        return False
    if challenge.accused == index and block.timestamp < challenge.deadline:
        if challenge.kind is ChallengeKind.PROOF:
            _show_proof(node, path, project, challenge, block)
        else:
            path.answer(node, project, challenge, block)
    elif challenge.accused != index and behaviour.answers_for_model():
        path.stand_in(node, project, index, block)
    return True


def _show_proof(
    node: ProjectDaemon, path: Path, project: Project, challenge: Challenge, block: Block
) -> None:
    number, round_ = node.context.project, project.outcome_round
    cohort = _challenged_cohort(node, round_, block)
    node.log.warning("proof demanded", round=round_, cohort=cohort)
    try:
        updates = posted_inputs(node, path, round_, cohort)
    except FairshareError as error:
        if error.reason is not Reason.NOT_FOUND:
            raise
        node.log.error("cannot answer", round=round_, problem=error.message, hint=error.hint)
        return
    felts = [to_felt(entry) for entry in gram_of(node.context.rules, updates).triangle]
    commitments = commitments_of(node.context.rules, updates, node.context.committer.zero)
    if statement(commitments, felts) != challenge.statement:
        node.log.error("cannot answer: another result was posted than the updates give", round=round_)
        return
    proof = proof_of(node, round_, cohort, updates, path.limit)
    call = node.context.client.market.functions.answerProof(number, felts, proof)
    if node.attempt(f"answer-proof:{number}:{round_}:{cohort}", call, round_, challenge.deadline):
        node.log.info("answered", round=round_, cohort=cohort)


def posted_inputs(node: ProjectDaemon, path: Path, round_: int, cohort: int) -> dict[int, Input]:
    """The inputs of the result that this node posted; NOT_FOUND where its journal does not have them."""
    slots = Kept(node.journal, node.context.project, round_).posted_slots(cohort)
    updates = {
        slot: kept[1] for slot in slots or () if (kept := path.recall(node, round_, cohort, slot)) is not None
    }
    if slots is None or set(updates) != slots:
        raise no_longer_kept(round_)
    return updates


def _challenged_cohort(node: ProjectDaemon, round_: int, block: Block) -> int:
    """The cohort of the latest demand for a proof."""
    events = fetch(node.context.client, [Challenged], node.context.project, round_, to_block=block.number)
    demands = [event.cohort for event in events if event.kind is ChallengeKind.PROOF]
    if not demands:
        raise lagging(
            node.context.client,
            f"the endpoint does not serve the challenge of round {round_} that the chain holds",
        )
    return demands[-1]
