"""Watching over a closed round: is the model there, and is what the result says about our update true?

Results are provisional until the challenge deadline. A challenge costs `complaint_deposit` where it is answered, so it
is made only after others had the time to answer without one; one challenge is enough for everybody.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from web3.contract.contract import ContractFunction

from marketplace.chain.events import ResultPosted, fetch
from marketplace.chain.types import Block, Challenge, ChallengeKind, Project, Settlement, Status
from marketplace.errors import FairshareError, Reason
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.models import current_model, fetch_current
from marketplace.node.outcomes import outcomes, posted_result
from marketplace.node.seats import seat_in_round
from marketplace.node.stake import ensure_free_stake
from marketplace.protocol.field import to_felt
from marketplace.protocol.gram import Gram
from trainer_node.prepared import Prepared

PATIENCE = 0.4  # share of the challenge window in which a model that cannot be fetched is waited for
STAGGER = 0.03  # and more for each trainer, by number
STAGGERED = 8  # trainers; all others wait as long as the last of them
FETCH_S = 10.0  # for one attempt at the model, at most
MODEL_SEEN, RESULT_SEEN = "model-seen", "result-seen"
_COIN = 2**64


@dataclass(frozen=True)
class Doubt:
    """How often a result that nothing speaks against is to be proved (settlement on-demand)."""

    rate: float  # probability
    seed: int  # ours alone: no aggregator can foresee it

    def strikes(self, round_: int) -> bool:
        """Whether this round's result is to be proved; the same answer after a restart."""
        drawn = hashlib.sha256(f"{self.seed}/{round_}/demand".encode()).digest()[:8]
        return int.from_bytes(drawn, "big") < self.rate * _COIN


def challengeable(project: Project, now: int) -> bool:
    """Whether the round `outcome_round` can be challenged at block time `now`, as far as its deadline goes."""
    over = project.status is Status.CLOSING or project.outcome_round != project.round
    return any(project.outcome) and over and now < project.challenge_deadline


def watch_results(node: ProjectDaemon, project: Project, number: int, doubt: Doubt, block: Block) -> None:
    """Look at the round that has just closed, and challenge it where something is wrong. `number`: ours."""
    if not challengeable(project, block.timestamp) or _seen(node, project):
        return
    challenge = node.context.client.challenge(node.context.project, block=block.number)
    if challenge.kind is not ChallengeKind.NONE:
        return
    _watch_model(node, project, challenge, number, block)
    if node.context.terms.settlement is Settlement.ON_DEMAND:
        _watch_own_result(node, project, challenge, number, doubt, block)


def _seen(node: ProjectDaemon, project: Project) -> bool:
    """Whether nothing is left to look at in the closed round."""
    wanted = [MODEL_SEEN]
    if node.context.terms.settlement is Settlement.ON_DEMAND:
        wanted.append(RESULT_SEEN)
    return all(node.journal.get(node.context.project, project.outcome_round, name, False) for name in wanted)


def _watch_model(
    node: ProjectDaemon, project: Project, challenge: Challenge, number: int, block: Block
) -> None:
    round_ = project.outcome_round
    if node.journal.get(node.context.project, round_, MODEL_SEEN, False):
        return
    if not _answered(challenge, round_, 1):
        problem = _model_problem(node, project, block)
        if problem is not None and _is_patient(node, project, number, block, problem):
            node.log.info("model awaited", round=round_, problem=problem.message)
            return
        if problem is not None:
            node.log.error("model challenged", round=round_, problem=problem.message)
            _challenge(node, round_, ChallengeKind.MODEL, 0)
            return
    node.journal.put(node.context.project, round_, MODEL_SEEN, True)


def _model_problem(node: ProjectDaemon, project: Project, block: Block) -> FairshareError | None:
    """Why the closed round's model cannot be had; None where it can, or where the round made none."""
    node.peers.connect_to(project.outcome_index)
    left = project.challenge_deadline - block.timestamp
    try:
        if current_model(node.context, project, block.number).round == project.outcome_round:
            fetch_current(node.context, project, block.number, min(FETCH_S, max(1.0, left / 4)))
    except FairshareError as error:
        if error.reason not in (Reason.UNAVAILABLE, Reason.INTEGRITY):
            raise
        return error
    return None


def _is_patient(
    node: ProjectDaemon, project: Project, number: int, block: Block, problem: FairshareError
) -> bool:
    """Whether a model that nobody serves may still come; what is false is challenged at once."""
    window = node.context.terms.challenge_window
    waited = window - (project.challenge_deadline - block.timestamp)
    patience = PATIENCE + STAGGER * min(number, STAGGERED)
    return problem.reason is Reason.UNAVAILABLE and waited < patience * window


def _watch_own_result(
    node: ProjectDaemon, project: Project, challenge: Challenge, number: int, doubt: Doubt, block: Block
) -> None:
    round_, project_number = project.outcome_round, node.context.project
    if node.journal.get(project_number, round_, RESULT_SEEN, False):
        return
    seat = seat_in_round(project, node.context.terms.slots, round_, number)
    events = fetch(node.context.client, [ResultPosted], project_number, round_, to_block=block.number)
    ours = next((event for event in events if seat is not None and event.cohort == seat.cohort), None)
    if seat is not None and ours is not None and not _answered(challenge, round_, 2 << seat.cohort):
        problem = _false_norm(node, ours, seat.slot, Prepared.recall(node.journal, project_number, round_))
        if problem is None and doubt.strikes(round_):
            problem = "drawn by lot"
        if problem is not None:
            node.log.warning("proof demanded", round=round_, cohort=seat.cohort, problem=problem)
            if not _challenge(node, round_, ChallengeKind.PROOF, seat.cohort):
                return  # another's challenge came first: look again after it
    node.journal.put(project_number, round_, RESULT_SEEN, True)


def _false_norm(node: ProjectDaemon, event: ResultPosted, slot: int, prepared: Prepared | None) -> str | None:
    """What is wrong with the result's G_ii of our update; None where nothing is."""
    if not event.present >> slot & 1 or prepared is None or prepared.own is None:
        return None
    try:
        result = posted_result(node.context.client, node.context.project, event)
        stated = Gram(node.context.circuit.shape.slots, result.gram)[slot, slot]
    except FairshareError as error:
        if error.reason is not Reason.INTEGRITY:
            raise
        return error.message
    update = prepared.own.update.astype(np.int64)
    true = int(update @ update)
    return None if stated == to_felt(true) else f"it says {stated} where our update's square is {true}"


def _challenge(node: ProjectDaemon, round_: int, kind: ChallengeKind, cohort: int) -> bool:
    """Challenge with our free stake, topped up where it is too little; False where that could not be done."""
    context, project = node.context, node.context.project
    intent = f"challenge:{project}:{round_}:{kind.name.lower()}:{cohort}"
    try:
        ensure_free_stake(
            context.client,
            node.sender,
            context.terms.token,
            context.terms.complaint_deposit,
            "challenge",
            intent,
        )
        return node.attempt(intent, _call(node, kind, cohort), round_)
    except FairshareError as error:
        if error.reason is not Reason.NO_FUNDS:
            raise
        node.log.error("cannot pay for a challenge", problem=error.message, hint=error.hint)
        return False


def _call(node: ProjectDaemon, kind: ChallengeKind, cohort: int) -> ContractFunction:
    client, project = node.context.client, node.context.project
    handed = outcomes(client, project) if kind is ChallengeKind.PROOF else ()
    return client.market.functions.challenge(
        project, int(kind), cohort, [outcome.to_abi() for outcome in handed]
    )


def _answered(challenge: Challenge, round_: int, bit: int) -> bool:
    """Whether a challenge of this kind (see `Challenge.answered`) was made in this round before."""
    return challenge.round == round_ and bool(challenge.answered & bit)
