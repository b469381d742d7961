"""An aggregator's duty in one project: collect, judge, prove, post; take over when it is its turn."""

from __future__ import annotations

from dataclasses import dataclass, field

from aggregator.behaviour import Attack, tampered
from aggregator.collect import Collected, collect
from aggregator.result import Merge, merge, round_result
from marketplace.chain.events import AggregatorTimedOut, KeyResealed, UpdateSubmitted, fetch
from marketplace.chain.types import Block, Project, RoundResult, Status
from marketplace.errors import FairshareError, Reason
from marketplace.node.daemon import ProjectDaemon
from marketplace.node.lifecycle import is_transient
from marketplace.node.membership import RACES, move_on
from marketplace.node.models import fetch_current
from marketplace.node.stake import ensure_free_stake
from marketplace.protocol.krum import mask
from marketplace.storage.cid import digest_of
from marketplace.storage.contact import encode_contact
from zk import keys, prover

FETCH_S = 5.0  # for one attempt at an update; another follows with the next block
PATIENCE = 0.35  # share of the result window in which missing updates are waited for
PROOF, PROVEN_OMISSIONS = "proof", "proven-omissions"


@dataclass
class Duty(ProjectDaemon):
    """An aggregator's part in one project."""

    contact: str  # multiaddress of our storage node
    attack: Attack | None = None
    _round: int = 0
    _collected: Collected = field(default_factory=Collected)
    _kept_round: int = -1
    _gave_up_round: int = 0

    def _place(self) -> int | None:
        return self.context.client.aggregator_index_of(self.context.project, self.sender.address)

    def _open(self, project: Project, block: Block) -> None:
        if self._place() is None:
            if block.timestamp >= project.join_deadline:
                raise FairshareError(Reason.DEADLINE_PASSED, "the time for joining this project is over")
            self._join()
        move_on(self.context, self.sender, project, block, self.log)

    def _join(self) -> None:
        context, number = self.context, self.context.project
        intent = f"join-as-aggregator:{number}"
        ensure_free_stake(
            context.client,
            self.sender,
            context.terms.token,
            context.terms.aggregator_bond,
            "joinAsAggregator",
            intent,
        )
        self.sender.send(
            intent,
            context.client.market.functions.joinAsAggregator(
                number, self.key.public, encode_contact(self.contact)
            ),
        )
        self.log.info("joined", index=self._place())
        keys.proving_key(context.circuit)  # while there is time, not in the first round's window
        self.log.info("proving key ready")

    def _active(self, project: Project, block: Block) -> None:
        index = self._place()
        if index is None:
            self._join()
            return
        self._keep_model(project, block)
        if block.timestamp < project.submit_deadline:
            return
        mine = project.aggregator_index == index
        due_to_us = (
            project.submitted_count >= self.context.rules.quorum and block.timestamp < project.result_deadline
        )
        if mine and due_to_us:
            self._conclude(project, block)
        else:
            move_on(self.context, self.sender, project, block, self.log)

    def _over(self, project: Project, block: Block) -> None:
        self._keep_model(project, block)

    def _keep_model(self, project: Project, block: Block) -> None:
        """Hold the current global model: it must not be lost with the aggregator that made it."""
        if self._kept_round == project.round and project.status is Status.ACTIVE:
            return
        for index in range(project.aggregator_count):
            if self.context.client.aggregators(self.context.project)[index] != self.sender.address:
                self.peers.connect_to(index)
        try:
            fetch_current(self.context, project, block.number, FETCH_S)
        except FairshareError as error:
            if error.reason not in (Reason.UNAVAILABLE, Reason.INTEGRITY):
                raise
            self.log.warning("no global model yet", round=project.round, problem=error.message)
            return
        self._kept_round = project.round

    def _conclude(self, project: Project, block: Block) -> None:
        if self._round != project.round:
            self._round, self._collected = project.round, Collected()
        if self.attack is Attack.WITHHOLD or self._gave_up_round == project.round:
            return
        submissions = {
            s.slot: s
            for s in fetch(
                self.context.client,
                [UpdateSubmitted],
                self.context.project,
                project.round,
                to_block=block.number,
            )
        }
        resealed = self._resealed(project, block)
        collect(self.context, submissions, self.key, resealed, self._collected, timeout_s=FETCH_S)
        window = self.context.terms.result_window
        waited = block.timestamp - (project.result_deadline - window)
        absent = sorted(set(submissions) - set(self._collected.updates))
        if self._collected.missing and waited < PATIENCE * window:
            self.log.info("waiting for updates", round=project.round, missing=self._collected.missing)
            return
        if len(absent) > self.context.rules.faults:
            self.log.error(
                "more updates cannot be opened than the project tolerates",
                round=project.round,
                unopenable=self._collected.unopenable,
                missing=self._collected.missing,
            )
            return
        if len(submissions) - len(absent) < self.context.rules.quorum:
            self._skip(project, absent)
            return
        self._post(project, block, {slot: s.position for slot, s in submissions.items()})

    def _resealed(self, project: Project, block: Block) -> dict[int, bytes] | None:
        """None while the round's updates are sealed to us; after a take-over the keys sealed anew to us."""
        number, client = self.context.project, self.context.client
        if not fetch(client, [AggregatorTimedOut], number, project.round, to_block=block.number):
            return None
        slots = {trainer: slot for slot, trainer in enumerate(client.trainers(number))}
        return {
            slots[event.trainer]: event.sealed_key
            for event in fetch(client, [KeyResealed], number, project.round, to_block=block.number)
            if event.aggregator_index == project.aggregator_index and event.trainer in slots
        }

    def _skip(self, project: Project, omitted: list[int]) -> None:
        number = self.context.project
        self.log.warning("too few updates can be opened", round=project.round, omitted=omitted)
        call = self.context.client.market.functions.skip(number, project.round, mask(omitted))
        self._send(f"skip:{number}:{project.round}:{project.aggregator_index}", call, project.round)

    def _post(self, project: Project, block: Block, submitted: dict[int, int]) -> None:
        model = fetch_current(self.context, project, block.number, FETCH_S)
        merged = merge(self.context, project.round, model, self._collected.updates, submitted)
        proof = self._proof(merged)
        cid = self.context.store.add(merged.packed_model())
        result = round_result(merged, digest_of(cid), proof)
        if self.attack is Attack.TAMPER_AGGREGATE:
            self._lie(project, result)
            return
        if self._send_result(project, result):
            self.log.info(
                "result posted",
                round=project.round,
                merged=list(merged.judgement.merged),
                omitted=list(merged.omitted),
                struck=list(merged.judgement.struck),
            )

    def _proof(self, merged: Merge) -> bytes:
        """The round's proof; kept, so that a restarted node does not prove twice."""
        number, omitted = self.context.project, list(merged.omitted)
        kept = self.journal.get_blob(number, merged.round, PROOF)
        if kept is not None and self.journal.get(number, merged.round, PROVEN_OMISSIONS) == omitted:
            return kept
        self.log.info("proving", round=merged.round, omitted=omitted)
        proof = prover.prove(self.context.circuit, [merged.updates.get(s) for s in range(merged.gram.slots)])
        if proof.gram != merged.gram.triangle:
            raise FairshareError(Reason.INTERNAL, "the circuit's Gram matrix is not the one computed here")
        with self.journal.atomic():
            self.journal.put_blob(number, merged.round, PROOF, proof.proof)
            self.journal.put(number, merged.round, PROVEN_OMISSIONS, omitted)
        self.log.info(
            "proved",
            round=merged.round,
            cpu_s=round(proof.cpu_s, 2),
            wall_s=round(proof.wall_s, 2),
            peak_rss_bytes=proof.peak_rss_bytes,
        )
        return proof.proof

    def _send_result(self, project: Project, result: RoundResult, *, suffix: str = "") -> bool:
        number = self.context.project
        call = self.context.client.market.functions.postResult(number, result.to_abi())
        intent = f"result:{number}:{project.round}:{project.aggregator_index}{suffix}"
        return self._send(intent, call, project.round)

    def _send(self, intent: str, call: object, round_: int) -> bool:
        try:
            self.sender.send(intent, call)  # type: ignore[arg-type]
        except FairshareError as error:
            if error.reason not in RACES:
                raise
            self.log.warning("refused", round=round_, intent=intent, problem=error.message)
            return False
        return True

    def _lie(self, project: Project, honest: RoundResult) -> None:
        for about, lie in tampered(honest, self.context.rules.slots):
            try:
                accepted = self._send_result(project, lie, suffix=f":{about}")
            except FairshareError as error:
                if is_transient(error):
                    raise
                self.log.warning("lie refused", round=project.round, about=about, problem=error.message)
                continue
            if accepted:
                self.log.error("a lie was accepted", round=project.round, about=about)
        self._gave_up_round = project.round
