"""Challenging the model of a closed round that cannot be had: for trainers, and for the owner after them.

A challenge costs `complaint_deposit` where it is answered, so it is made only after others had the time to answer
without one; one challenge is enough for everybody.
"""

from __future__ import annotations

from typing import Protocol

from web3.contract.contract import ContractFunction

from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import Block, Challenge, ChallengeKind, Project, Status
from marketplace.errors import FairshareError, Reason
from marketplace.node.journal import Journal
from marketplace.node.logging import Logger
from marketplace.node.membership import attempt
from marketplace.node.models import current_model, fetch_current
from marketplace.node.outcomes import outcomes
from marketplace.node.peers import PeerBook
from marketplace.node.project import ProjectContext
from marketplace.node.reorganisation import is_seen, see
from marketplace.node.stake import ensure_free_stake

PATIENCE = 0.4  # share of the challenge window in which a model that cannot be fetched is waited for
STAGGER = 0.03  # and more for each turn: a trainer's is its number
STAGGERED = 8  # trainers; all others wait as long as the last of them
AFTER_TRAINERS = STAGGERED + 1  # the owner's turn
FETCH_S = 10.0  # for one attempt at the model, at most
MODEL_SEEN = "model-seen"

_NUMBER_BYTES, _BYTES_A_SECOND = 4, 2_000_000


class Watcher(Protocol):
    """A node that can challenge."""

    @property
    def context(self) -> ProjectContext: ...
    @property
    def sender(self) -> TransactionSender: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def peers(self) -> PeerBook: ...
    @property
    def log(self) -> Logger: ...


def challengeable(project: Project, now: int) -> bool:
    """Whether the round `outcome_round` can be challenged at block time `now`, as far as its deadline goes."""
    over = project.status is Status.CLOSING or project.outcome_round != project.round
    return any(project.outcome) and over and now < project.challenge_deadline


def guard_model(node: Watcher, project: Project, turn: int, block: Block) -> None:
    """As `watch_model`, where there is something to watch and no challenge is open."""
    if project.challenged or not challengeable(project, block.timestamp):
        return
    if is_seen(node, project.outcome_round, MODEL_SEEN, block):
        return
    challenge = node.context.client.challenge(node.context.project, block=block.number)
    watch_model(node, project, challenge, turn, block)


def watch_model(node: Watcher, project: Project, challenge: Challenge, turn: int, block: Block) -> None:
    """Challenge the model of a round that is `challengeable` if it cannot be had; what is false, at once.

    `challenge`: none that is open. `turn`: ours among those who watch.
    """
    round_ = project.outcome_round
    if is_seen(node, round_, MODEL_SEEN, block):
        return
    if not is_answered(challenge, round_, 1):
        problem = _model_problem(node, project, block)
        if problem is not None and is_patient(node, project, turn, block, problem):
            node.log.info("model awaited", round=round_, problem=problem.message)
            return
        if problem is not None:
            node.log.error("model challenged", round=round_, problem=problem.message)
            call = challenge_call(node, ChallengeKind.MODEL, 0)
            raise_challenge(node, round_, "model:0", call, project.challenge_deadline)
            return
    see(node, round_, MODEL_SEEN, block)


def _model_problem(node: Watcher, project: Project, block: Block) -> FairshareError | None:
    """Why the closed round's model cannot be had; None where it can, or where the round made none."""
    node.peers.connect_to(project.outcome_index)
    try:
        if current_model(node.context, project, block.number).round == project.outcome_round:
            fetch_current(node.context, project, block.number, fetch_s(node.context, project, block))
    except FairshareError as error:
        if error.reason not in (Reason.UNAVAILABLE, Reason.INTEGRITY):
            raise
        return error
    return None


def fetch_s(context: ProjectContext, project: Project, block: Block) -> float:
    """Seconds for one attempt at a file of the closed round: a large one has longer, another try follows either way."""
    left = project.challenge_deadline - block.timestamp
    return min(max(FETCH_S, _NUMBER_BYTES * context.length / _BYTES_A_SECOND), max(1.0, left / 4))


def is_patient(node: Watcher, project: Project, turn: int, block: Block, problem: FairshareError) -> bool:
    """Whether a model that nobody serves may still come; what is false is challenged at once."""
    window = node.context.terms.challenge_window
    waited = window - (project.challenge_deadline - block.timestamp)
    return problem.reason is Reason.UNAVAILABLE and waited < (PATIENCE + STAGGER * turn) * window


def raise_challenge(
    node: Watcher, round_: int, name: str, call: ContractFunction, deadline: int | None = None
) -> bool:
    """Challenge with our free stake, topped up where it is too little; False where that could not be done.

    `name`: of what is asked, among the round's challenges; `deadline`: block time from which it is too late.
    """
    context = node.context
    intent = f"challenge:{context.project}:{round_}:{name}"
    try:
        ensure_free_stake(
            context.client,
            node.sender,
            context.terms.token,
            context.terms.complaint_deposit,
            "challenge",
            intent,
        )
        return attempt(node.sender, node.log, intent, call, round_, deadline)
    except FairshareError as error:
        if error.reason not in (Reason.NO_FUNDS, Reason.OVER_BUDGET):
            raise
        node.log.error("cannot pay for a challenge", problem=error.message, hint=error.hint)
        return False


def challenge_call(node: Watcher, kind: ChallengeKind, cohort: int) -> ContractFunction:
    """The call that challenges on the exact path."""
    client, project = node.context.client, node.context.project
    handed = outcomes(client, project) if kind is ChallengeKind.PROOF else ()
    return client.market.functions.challenge(
        project, int(kind), cohort, [outcome.to_abi() for outcome in handed]
    )


def is_answered(challenge: Challenge, round_: int, bit: int) -> bool:
    """Whether a challenge of this kind (see `Challenge.answered`) was made in this round before."""
    return challenge.round == round_ and bool(challenge.answered & bit)
