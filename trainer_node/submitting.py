"""A round's submission: train, commit, seal, and submit the digest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketplace.chain.events import UpdateSubmitted, fetch
from marketplace.chain.types import Block, Project
from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset
from marketplace.learning.engine.options import PLAIN, Engine
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.models import fetch_current
from marketplace.node.previews import Preview
from marketplace.node.seats import Seat
from marketplace.storage.cid import digest_of, from_digest
from trainer_node.ahead import Ahead, forget, is_misled
from trainer_node.behaviour import Behaviour
from trainer_node.flower.client import FlowerClient
from trainer_node.prepared import Prepared
from trainer_node.privacy_budget import PrivacyBudget, occasion_of
from trainer_node.work import prepare

MODEL_S = 15.0  # for one attempt at fetching the global model


@dataclass(frozen=True)
class Worker:
    """What a trainer works with."""

    dataset: Dataset
    seed: int
    device: str
    behaviour: Behaviour
    privacy: PrivacyBudget | None = None  # trains with noise, within it
    flower: FlowerClient | None = None  # trains in our place
    engine: Engine = PLAIN


def prepared_for(
    node: ProjectDaemon, worker: Worker, ahead: Ahead, project: Project, block: Block
) -> Prepared | None:
    """This round's submission, made on the first call and journalled; None while it cannot be made, or is not to be.

    What was made of it `ahead`, on this very model, is taken first.
    """
    number = node.context.project
    prepared = Prepared.recall(node.journal, number, project.round)
    if prepared is None:
        make = _borrowed if worker.behaviour.copies else _own
        prepared = ahead.take(node, project) or make(node, worker, project, block)
        if prepared is not None:
            with node.journal.atomic():
                prepared.keep(node.journal, number)
                forget(node, project.round)
    return prepared


def train_ahead(
    node: ProjectDaemon, worker: Worker, ahead: Ahead, project: Project, number: int, block: Block
) -> None:
    """Prepare the next round's submission on the model that the aggregator announces. `number`: ours."""
    if worker.behaviour.copies or not worker.behaviour.submits:
        return
    if worker.privacy is not None and is_misled(node):
        return  # each false preview would cost a part of the budget
    index, following = project.aggregator_index, project.round + 1

    def make(preview: Preview) -> Prepared | None:
        model = node.context.fetch_model(preview.cid, preview.commitment, MODEL_S, round_=preview.round)
        return _prepare(node, worker, following, model, index)

    ahead.look(node, project, number, block, make)


def submit(node: ProjectDaemon, project: Project, seat: Seat, prepared: Prepared) -> None:
    """Submit by a transaction of our own; once a round, whatever happens to this process."""
    number = node.context.project
    call = node.context.client.market.functions.submit(
        number, project.round, seat.index, prepared.digest, digest_of(prepared.cid)
    )
    if node.attempt(f"submit:{number}:{project.round}", call, project.round, project.submit_deadline):
        node.log.info("submitted", round=project.round, seat=seat.index)


def _own(node: ProjectDaemon, worker: Worker, project: Project, block: Block) -> Prepared | None:
    budget = worker.privacy
    if budget is not None and budget.abstains(project.round):
        return None
    node.peers.connect_to(project.aggregator_index)
    try:
        model = fetch_current(node.context, project, block.number, MODEL_S)
    except FairshareError as error:
        if error.reason is not Reason.INTEGRITY:
            raise
        node.log.error("model refused", round=project.round, problem=error.message, hint=error.hint)
        return None
    prepared = _prepare(node, worker, project.round, model, project.aggregator_index)
    if prepared is None and budget is not None:
        budget.abstain(project.round)
    return prepared


def _prepare(
    node: ProjectDaemon, worker: Worker, round_: int, model: NDArray[np.int32], aggregator_index: int
) -> Prepared | None:
    """None where the privacy budget does not allow it."""
    paid, budget = None, worker.privacy
    if budget is not None:
        occasion = occasion_of(model, worker.dataset, node.context.spec.training, budget.policy)
        paid = budget.pay(round_, occasion)
        if paid is None:
            return None
    node.log.info("training", round=round_, samples=len(worker.dataset))
    return prepare(
        node.context,
        round_,
        model,
        worker.dataset,
        worker.behaviour,
        trainer=node.sender.address,
        seed=worker.seed,
        device=worker.device,
        aggregator_index=aggregator_index,
        aggregator_key=node.peers.aggregator(aggregator_index).encryption_key,
        paid=paid,
        flower=worker.flower,
        engine=worker.engine,
        telemetry=node.telemetry,
    )


def _borrowed(node: ProjectDaemon, worker: Worker, project: Project, block: Block) -> Prepared | None:
    """The first other submission of the round: the copy attack."""
    others = fetch(
        node.context.client,
        [UpdateSubmitted],
        node.context.project,
        project.round,
        to_block=block.number,
    )
    if not others:
        return None
    first = others[0]
    return Prepared(project.round, first.digest, from_digest(first.blob), project.aggregator_index, None)
