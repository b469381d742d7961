"""The exact path in an aggregator's hands: proofs about the updates themselves."""

from __future__ import annotations

from collections.abc import Set

import numpy as np
from web3.contract.contract import ContractFunction

from aggregator.arrived import Submission
from aggregator.behaviour import Behaviour
from aggregator.collecting import Case, is_committed, not_served
from aggregator.complaining import fetch_timeout
from aggregator.kept import Kept
from aggregator.merging import Merge, merge
from aggregator.path import Input, Made, NotCommitted
from aggregator.sealing import published
from marketplace.chain.events import UpdateAnswered, fetch
from marketplace.chain.types import Block, Challenge, ChallengeKind, Project, RoundResult, Terms
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.models import current_model, fetch_current, keep_model
from marketplace.node.showing import answer_of, intent_of, stand_in
from marketplace.protocol.gram import Gram
from marketplace.protocol.krum import Judgement, mask, members
from marketplace.storage.cid import cid_of, digest_of
from marketplace.storage.reasons import Purpose
from marketplace.updates.envelope import OpenedUpdate, open_update, sealed_update_bytes
from zk.curve import Point
from zk.prover import UPDATE_LIMIT

MODEL_S = 10.0  # for one attempt at a model


class ExactPath:
    """See `aggregator.path.Path`."""

    limit = UPDATE_LIMIT
    at_once = 16
    announces = True

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour

    def may_begin(self, project: Project) -> bool:
        return True

    def fetch_s(self, terms: Terms, wanted: int, size: int) -> float:
        return fetch_timeout(terms)

    def sealed_bytes(self, node: ProjectDaemon) -> int:
        return sealed_update_bytes(node.context.length)

    def recall(
        self, node: ProjectDaemon, round_: int, cohort: int, slot: int, seed: bytes | None = None
    ) -> tuple[Point, Input] | None:
        kept = Kept(node.journal, node.context.project, round_).update(cohort, slot, node.context.length)
        return None if kept is None else (kept.commitment, kept)

    def open(
        self,
        node: ProjectDaemon,
        project: Project,
        cohort: int,
        submission: Submission,
        blob: bytes,
        key: bytes | None,
    ) -> Input:
        bound_to = node.context.update_context(project.round, submission.holder)
        length = node.context.length
        opened = open_update(blob, node.key, bound_to, submission.digest, length, sealed_key=key)
        return _keep(node, project.round, cohort, submission.slot, opened)

    def take_answers(self, node: ProjectDaemon, project: Project, case: Case, block: Block) -> None:
        """Updates that a complaint brought on chain."""
        if not set(members(case.cohort.answered)) - set(case.updates):
            return
        number, round_ = node.context.project, project.round
        for event in fetch(node.context.client, [UpdateAnswered], number, round_, to_block=block.number):
            submission = case.arrived.submissions.get(event.slot)
            if event.cohort != case.index or submission is None or event.slot in case.updates:
                continue
            opened = answered_update(event, node.context.length)
            if not is_committed(opened.commitment, submission):
                raise not_served("the answer to a complaint")
            case.updates[event.slot] = _keep(node, round_, case.index, event.slot, opened)
            case.unopenable.pop(event.slot, None)

    def left_out(self, project: Project, case: Case, block: Block) -> frozenset[int]:
        return frozenset()  # an answer is the update itself

    def complaint(
        self, node: ProjectDaemon, project: Project, case: Case, slots: Set[int]
    ) -> ContractFunction:
        arrived = case.arrived.arrivals.to_abi()
        market = node.context.client.market.functions
        return market.complain(node.context.project, project.round, case.index, mask(slots), arrived)

    def make(self, node: ProjectDaemon, project: Project, case: Case, block: Block) -> Made:
        model = fetch_current(node.context, project, block.number, MODEL_S)
        rules, positions = node.context.rules, case.arrived.positions
        made = merge(rules, model, case.usable(), positions, self._behaviour)
        return ExactMade(node, project.round, made)

    def answer(self, node: ProjectDaemon, project: Project, challenge: Challenge, block: Block) -> None:
        if challenge.kind is not ChallengeKind.MODEL or not self._behaviour.answers_for_model():
            return
        round_ = project.outcome_round
        node.log.warning("model challenged: showing it", round=round_)
        call = answer_of(node.context, project, block, MODEL_S)
        if node.attempt(intent_of(node.context, project), call, round_, challenge.deadline):
            node.log.info("answered", round=round_)

    def hold(self, node: ProjectDaemon, project: Project, block: Block, timeout_s: float) -> None:
        fetch_current(node.context, project, block.number, timeout_s)
        keep_model(node.context, current_model(node.context, project, block.number), timeout_s)

    def stand_in(self, node: ProjectDaemon, project: Project, index: int, block: Block) -> None:
        stand_in(node.context, node.sender, node.log, project, block, index)


class ExactMade:
    """See `aggregator.path.Made`."""

    def __init__(self, node: ProjectDaemon, round_: int, made: Merge) -> None:
        self._node, self._round, self._made = node, round_, made

    @property
    def gram(self) -> Gram:
        return self._made.gram

    @property
    def judgement(self) -> Judgement:
        return self._made.judgement

    def publish(self, *, serve: bool) -> bytes:
        packed = self._made.packed_model()
        file, context = published(self._node, self._round, packed), self._node.context
        if not serve:
            return digest_of(cid_of(file))
        return digest_of(context.store.add(file, context.why(self._round, Purpose.MODEL)))

    def call(self, result: RoundResult) -> ContractFunction:
        context = self._node.context
        return context.client.market.functions.postResult(context.project, result.to_abi())


def answered_update(event: UpdateAnswered, length: int) -> OpenedUpdate:
    """The update, int16 [length], that an answer shows; INTEGRITY for another length."""
    if len(event.packed) != 2 * length:
        raise not_served("the answer to a complaint")
    update = np.frombuffer(event.packed, dtype="<i2").astype(np.int16)
    return OpenedUpdate(update, Point(event.x, event.y))


def _keep(node: ProjectDaemon, round_: int, cohort: int, slot: int, opened: OpenedUpdate) -> OpenedUpdate:
    """Write it down; NotCommitted where it is not what its commitment says."""
    if node.context.committer.commit(opened.update) != opened.commitment:
        raise NotCommitted("the update is not the one committed to")
    Kept(node.journal, node.context.project, round_).keep_update(cohort, slot, opened)
    return opened
