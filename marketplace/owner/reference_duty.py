"""What an owner owes its project in each round: the reference update, committed, served, and answered for.

It is written down before anything of it leaves the node: after a kill at any moment the same update is submitted.
"""

from __future__ import annotations

from dataclasses import dataclass

from web3.contract.contract import ContractFunction

from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import Block, Project
from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset
from marketplace.node.journal import Journal
from marketplace.node.logging import Logger
from marketplace.node.membership import attempt
from marketplace.node.models import fetch_current
from marketplace.node.peers import PeerBook
from marketplace.node.project import ProjectContext
from marketplace.node.reorganisation import final_project, is_seen, see
from marketplace.node.sketch.own import OwnInput
from marketplace.node.telemetry.hooks import NO_TELEMETRY, Telemetry, Work
from marketplace.node.vectors import Committed, answer_of, commit, packed_bytes, unpack
from marketplace.owner.reference import reference_update
from marketplace.protocol.digests import update_digest
from marketplace.storage.cid import cid_of, digest_of
from marketplace.storage.reasons import Purpose
from marketplace.updates.envelope import commitment_of, reseal, seal

UPDATE, SEALED, CONTENT_KEY = "reference", "reference-sealed", "reference-key"
SEALED_TO, SERVED = "reference-sealed-to", "reference-served"
FORGOTTEN = "references-forgotten"  # of the project: those of rounds below this one are no longer kept
MODEL_S = 15.0  # for one attempt at fetching the global model
# A round goes on without a reference: the fallback rule pays.
_NO_REFERENCE = frozenset({Reason.INTEGRITY, Reason.BAD_DATA})


@dataclass
class ReferenceDuty:
    """`act` does what a block calls for. One owner, one project."""

    context: ProjectContext
    sender: TransactionSender
    journal: Journal
    peers: PeerBook
    log: Logger
    validation: Dataset
    telemetry: Telemetry = NO_TELEMETRY

    def act(self, project: Project, block: Block) -> None:
        """In a round under way. Raises what reads and transactions raise."""
        self._forget(project, block)
        self._serve(project, block)
        if block.timestamp < project.submit_deadline:
            if project.reference_round != project.round and not project.revealed:
                self._submit(project, block)
        elif project.reference_round == project.round:
            self.peers.connect_to(project.aggregator_index)
            self._reseal(project, block)
            self._answer(project, block)

    def _submit(self, project: Project, block: Block) -> None:
        number, round_ = self.context.project, project.round
        blob = self._blob(round_, SEALED)
        if blob is None:
            try:
                blob = self._prepare(project, block)
            except FairshareError as error:
                if error.reason not in _NO_REFERENCE:
                    raise
                self.log.error("no reference", round=round_, problem=error.message, hint=error.hint)
                return
        digest = update_digest(*commitment_of(blob, self.context.chunks), self.sender.address)
        call = self.context.client.market.functions.submitReference(
            number, round_, digest, digest_of(cid_of(blob))
        )
        if self._send(f"reference:{number}:{round_}", call, round_, project.submit_deadline):
            self.log.info("reference submitted", round=round_)

    def _prepare(self, project: Project, block: Block) -> bytes:
        """Makes, seals and writes down a round's reference; the sealed blob."""
        context, round_, index = self.context, project.round, project.aggregator_index
        self.peers.connect_to(index)
        model = fetch_current(context, project, block.number, MODEL_S)
        self.log.info("making the reference", round=round_, samples=len(self.validation))
        with self.telemetry.at_work(Work.TRAINING):
            update = reference_update(context.spec, context.task, model, self.validation, round_)
        with self.telemetry.at_work(Work.COMMITTING):
            made = commit(context, update)
        packed = made.packed()
        recipient = self.peers.aggregator(index).encryption_key
        bound_to = context.update_context(round_, self.sender.address)
        sealed = seal(packed, made.commitment, recipient, bound_to)
        with self.journal.atomic():
            self.journal.put_blob(context.project, round_, UPDATE, packed)
            self.journal.put_blob(context.project, round_, SEALED, sealed.blob)
            self.journal.put_blob(context.project, round_, CONTENT_KEY, sealed.content_key)
            self.journal.put(context.project, round_, SEALED_TO, index)
        return sealed.blob

    def _serve(self, project: Project, block: Block) -> None:
        """Hand the sealed reference to the storage node, once its round's window has closed and not before."""
        closed = project.round if block.timestamp >= project.submit_deadline else project.round - 1
        for round_ in range(max(1, closed - 1), closed + 1):
            blob = self._blob(round_, SEALED)
            if blob is None or self.journal.get(self.context.project, round_, SERVED, False):
                continue
            self.context.store.add(blob, self.context.why(round_, Purpose.UPDATE))
            self.journal.put(self.context.project, round_, SERVED, True)
            self.log.info("serving the reference", round=round_)

    def _reseal(self, project: Project, block: Block) -> None:
        """After a take-over, seal the key to the aggregator that took over."""
        number, round_, index = self.context.project, project.round, project.aggregator_index
        content_key = self._blob(round_, CONTENT_KEY)
        if content_key is None or self.journal.get(number, round_, SEALED_TO) == index:
            return
        intent = f"reference-reseal:{number}:{round_}:{index}"
        if is_seen(self, round_, intent, block):
            return
        sealed = reseal(content_key, self.peers.aggregator(index).encryption_key)
        call = self.context.client.market.functions.reseal(number, round_, sealed)
        if self._send(intent, call, round_, project.result_deadline):
            see(self, round_, intent, self.context.client.latest_block())
            self.log.info("resealed", round=round_, aggregator=index)

    def _answer(self, project: Project, block: Block) -> None:
        """Where a cohort's aggregator says that it cannot open the reference, show it on chain."""
        client, number, round_ = self.context.client, self.context.project, project.round
        slot = self.context.terms.slots
        for index in range(project.cohorts):
            cohort = client.cohort(number, index, block=block.number)
            if cohort.round != round_ or not cohort.complained >> slot & 1:
                continue
            own = self._committed(round_)
            if own is None or block.timestamp >= project.answer_deadline:
                continue
            call = answer_of(self.context, round_, index, slot, own, block.number)
            intent = f"reference-answer:{number}:{round_}:{index}"
            if self._send(intent, call, round_, project.answer_deadline):
                self.log.info("answered", round=round_, cohort=index)

    def own_input(self, round_: int) -> OwnInput | None:
        """The reference of a round, an input of every cohort's proof."""
        own = self._committed(round_)
        return None if own is None else OwnInput(own, self.context.terms.slots, None)

    def _committed(self, round_: int) -> Committed | None:
        packed, sealed = self._blob(round_, UPDATE), self._blob(round_, SEALED)
        if packed is None or sealed is None or len(packed) != packed_bytes(self.context):
            return None
        update, leaves = unpack(self.context, packed)
        return Committed(update, commitment_of(sealed, self.context.chunks), leaves)

    def _forget(self, project: Project, block: Block) -> None:
        """References of rounds that nobody can ask about any more, for good: large ones add up."""
        number, journal = self.context.project, self.journal
        final = final_project(self.context, project, block)
        if final is None:
            return
        for old in range(
            int(journal.get(number, 0, FORGOTTEN, 1)), min(final.outcome_round, final.round - 1)
        ):
            with journal.atomic():
                for name in (UPDATE, SEALED, CONTENT_KEY):
                    journal.delete(number, old, name)
                journal.put(number, 0, FORGOTTEN, old + 1)

    def _blob(self, round_: int, name: str) -> bytes | None:
        return self.journal.get_blob(self.context.project, round_, name)

    def _send(self, intent: str, call: ContractFunction, round_: int, deadline: int) -> bool:
        return attempt(self.sender, self.log, intent, call, round_, deadline)
