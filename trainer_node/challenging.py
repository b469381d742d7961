"""Watching over a closed round: is the model there, and is what the result says about our update true?

Results are provisional until the challenge deadline; one challenge is enough for everybody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from web3.contract.contract import ContractFunction

from marketplace.chain.events import ResultPosted, fetch
from marketplace.chain.types import Block, Challenge, ChallengeKind, Project, Settlement
from marketplace.errors import FairshareError, Reason
from marketplace.node.challenging import (
    MODEL_SEEN,
    STAGGERED,
    challenge_call,
    challengeable,
    is_answered,
    raise_challenge,
    watch_model,
)
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.outcomes import posted_result
from marketplace.node.project import ProjectContext
from marketplace.node.seats import seat_in_round
from marketplace.protocol.field import to_felt
from marketplace.protocol.gram import Gram, gram
from trainer_node.prepared import Prepared

RESULT_SEEN = "result-seen"
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


class Statement(Protocol):
    """What a result on demand states about us, and the demand for its proof."""

    def false_norm(self, event: ResultPosted, slot: int, prepared: Prepared) -> str | None:
        """What is wrong with the result's G_ii of our update; None where nothing is. INTEGRITY for no result."""

    def demand(self, round_: int, cohort: int) -> ContractFunction:
        """The call that demands the proof."""


def watch_results(node: ProjectDaemon, project: Project, number: int, doubt: Doubt, block: Block) -> None:
    """Look at the round that has just closed, and challenge it where something is wrong. `number`: ours."""
    if not challengeable(project, block.timestamp) or _seen(node, project, block):
        return
    challenge = node.context.client.challenge(node.context.project, block=block.number)
    if challenge.kind is not ChallengeKind.NONE:
        return
    watch_model(node, project, challenge, min(number, STAGGERED), block)
    if node.context.terms.settlement is Settlement.ON_DEMAND:
        _watch_own_result(node, project, challenge, number, doubt, block, ExactStatement(node))


def watch_proof(
    node: ProjectDaemon, project: Project, number: int, doubt: Doubt, block: Block, statement: Statement
) -> None:
    """The part of it that settlement on demand has."""
    if not challengeable(project, block.timestamp) or node.is_seen(project.outcome_round, RESULT_SEEN, block):
        return
    challenge = node.context.client.challenge(node.context.project, block=block.number)
    if challenge.kind is ChallengeKind.NONE:
        _watch_own_result(node, project, challenge, number, doubt, block, statement)


def _seen(node: ProjectDaemon, project: Project, block: Block) -> bool:
    """Whether nothing is left to look at in the closed round."""
    wanted = [MODEL_SEEN]
    if node.context.terms.settlement is Settlement.ON_DEMAND:
        wanted.append(RESULT_SEEN)
    return all(node.is_seen(project.outcome_round, name, block) for name in wanted)


def _watch_own_result(
    node: ProjectDaemon,
    project: Project,
    challenge: Challenge,
    number: int,
    doubt: Doubt,
    block: Block,
    statement: Statement,
) -> None:
    round_, project_number = project.outcome_round, node.context.project
    if node.is_seen(round_, RESULT_SEEN, block):
        return
    seat = seat_in_round(project, node.context.terms.slots, round_, number)
    events = fetch(node.context.client, [ResultPosted], project_number, round_, to_block=block.number)
    ours = next((event for event in events if seat is not None and event.cohort == seat.cohort), None)
    if seat is not None and ours is not None and not is_answered(challenge, round_, 2 << seat.cohort):
        prepared = Prepared.recall(node.journal, project_number, round_)
        problem = _false_norm(statement, ours, seat.slot, prepared)
        if problem is None and doubt.strikes(round_):
            problem = "drawn by lot"
        if problem is not None:
            node.log.warning("proof demanded", round=round_, cohort=seat.cohort, problem=problem)
            call = statement.demand(round_, seat.cohort)
            if not raise_challenge(node, round_, f"proof:{seat.cohort}", call, project.challenge_deadline):
                return  # another's challenge came first: look again after it
    node.see(round_, RESULT_SEEN, block)


def _false_norm(
    statement: Statement, event: ResultPosted, slot: int, prepared: Prepared | None
) -> str | None:
    if not event.present >> slot & 1 or prepared is None or prepared.own is None:
        return None
    try:
        return statement.false_norm(event, slot, prepared)
    except FairshareError as error:
        if error.reason is not Reason.INTEGRITY:
            raise
        return error.message


class ExactStatement:
    """See `Statement`."""

    def __init__(self, node: ProjectDaemon) -> None:
        self._node = node

    def false_norm(self, event: ResultPosted, slot: int, prepared: Prepared) -> str | None:
        context = self._node.context
        if prepared.own is None:
            return None
        result = posted_result(context.client, context.project, event)
        return false_square(context, result.gram, slot, prepared.own.update)

    def demand(self, round_: int, cohort: int) -> ContractFunction:
        return challenge_call(self._node, ChallengeKind.PROOF, cohort)


def false_square(
    context: ProjectContext, stated: Sequence[int], slot: int, vector: NDArray[np.integer[Any]]
) -> str | None:
    """What is wrong with a posted G_ii, of field elements, where our input is `vector`; None where nothing is."""
    try:
        square = Gram(context.circuit.shape.slots, tuple(stated))[slot, slot]
    except ValueError as error:
        return str(error)
    true = gram([vector])[0, 0]
    return None if square == to_felt(true) else f"it says {square} where our update's square is {true}"
