"""One project on the chain, with what its parties know and the chain does not: updates, arrivals, outcomes, models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass, field
from typing import Any

from eth_utils.crypto import keccak
from rounds import INITIAL_MODEL, REFERENCE, commitments, judged, result
from toy import LENGTH, TRAILER, Vector, commitment, opening
from world import World

from marketplace.chain.types import (
    NATIVE_COIN,
    NO_PERMIT,
    Arrivals,
    ChallengeKind,
    Outcome,
    Permit,
    Project,
    RoundResult,
    Settlement,
    Terms,
)
from marketplace.node.seats import number_in_seat
from marketplace.protocol.digests import (
    BATCH,
    EMPTY_CHAIN,
    batch_root,
    chain_batch,
    chain_transaction,
    update_digest,
)
from marketplace.protocol.krum import Judgement, mask, members
from zk.curve import Point, moved

KEY, BLOB = b"k" * 32, b"b" * 32
NO_SIGNATURE = bytes(65)


@dataclass
class Received:
    """What a cohort's round received, as its aggregator knows it."""

    updates: dict[int, Vector] = field(default_factory=dict)  # by slot, behind every valid digest
    order: bytes = b""
    digests: list[bytes] = field(default_factory=list)
    batch: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)  # digest and signature by slot
    signed: set[int] = field(default_factory=set)  # slots of the batch that their trainers signed

    @property
    def counting(self) -> int:
        """Mask of the slots with a submission that counts, openable or not."""
        return mask({slot for slot in self.order if slot != BATCH} | self.signed)

    @property
    def chain(self) -> bytes:
        """What the cohort's chain must be."""
        chain, digests = EMPTY_CHAIN, iter(self.digests)
        for entry in self.order:
            if entry == BATCH:
                chain = chain_batch(chain, batch_root(self.arrivals().batch, self.arrivals().signatures))
            else:
                chain = chain_transaction(chain, entry, next(digests))
        return chain

    def arrivals(self) -> Arrivals:
        """The preimage of the cohort's chain."""
        entries = [self.batch[slot] for slot in sorted(self.batch)]
        return Arrivals(
            self.order,
            tuple(self.digests),
            tuple(digest for digest, _ in entries),
            tuple(signature for _, signature in entries),
        )

    def positions(self, slots: int) -> list[int]:
        """The order of arrival by slot, from 1; 0: nothing came."""
        sequence: list[int] = []
        for entry in self.order:
            by_batch = [
                slot for slot in sorted(self.batch) if slot in self.updates and slot not in self.order
            ]
            sequence += by_batch if entry == BATCH else [entry]
        return [sequence.index(slot) + 1 if slot in sequence else 0 for slot in range(slots)]


class Game:
    """Everybody's moves in one project. Each sends one transaction, which may be refused."""

    def __init__(self, world: World, terms: Terms, owner: Any, permit: Permit = NO_PERMIT) -> None:
        self.world, self.terms, self.owner = world, terms, owner
        value = terms.reward + terms.reveal_bond
        paying = world.paying(terms.token, owner, value)
        created = world.market.create(terms.to_abi(), permit.to_abi(), paying)
        self.project = int(created.events["ProjectCreated"][0]["project"])
        self.received: dict[tuple[int, int], Received] = {}
        self.references: dict[int, Vector] = {}
        self.outcomes: dict[int, list[Outcome]] = {}
        self.proofs: dict[tuple[int, int], tuple[tuple[int, ...], bytes]] = {}
        self.vectors: dict[Point, Vector] = {self.terms.initial_model: INITIAL_MODEL}  # models by commitment

    def again(self) -> Game:
        """The same project with a memory of its own, for when the chain has gone back."""
        other = copy(self)
        for memory in ("received", "references", "outcomes", "proofs", "vectors"):
            setattr(other, memory, deepcopy(getattr(self, memory)))
        return other

    # What can be seen

    def state(self) -> Project:
        return Project.from_abi(tuple(self.world.market.projectOf(self.project)))

    def of(self, round: int, cohort: int) -> Received:
        return self.received.setdefault((round, cohort), Received())

    def aggregators(self) -> list[str]:
        return [str(holder) for holder, _ in self.world.market.aggregatorsOf(self.project)]

    def turn(self, state: Project) -> Any | None:
        """The account of the current aggregator."""
        if state.aggregator_index == state.aggregator_count:
            return None
        return self.world.account(self.aggregators()[state.aggregator_index])

    def trainer_in(self, state: Project, round: int, seat: int) -> Any | None:
        """Who has a seat; None: nobody."""
        number = number_in_seat(state, round, seat)
        if number is None:
            return None
        holder = str(self.world.market.trainerOf(self.project, number)[0])
        return None if holder == NATIVE_COIN else self.world.account(holder)

    # Before the start

    def join(self, trainer: Any) -> None:
        self.world.deposit(self.terms.token, trainer, self.terms.trainer_stake)
        self.world.market.join(self.project, KEY, {"from": trainer})

    def join_as_aggregator(self, aggregator: Any, listed: Sequence[bytes] = ()) -> None:
        """`listed`: the proof that it is on the terms' list."""
        self.world.deposit(self.terms.token, aggregator, self.terms.aggregator_bond)
        self.world.market.joinAsAggregator(self.project, KEY, b"", list(listed), {"from": aggregator})

    # A round

    def submit(
        self, round: int, seat: int, trainer: Any, update: Vector, digest: bytes | None = None
    ) -> None:
        """`digest`: another one than the update's, which nobody can open."""
        given = digest or update_digest(*commitment(update), str(trainer))
        self.world.market.submit(self.project, round, seat, given, BLOB, {"from": trainer})
        self._arrived(round, seat, given, None if digest else update)

    def submit_signed(
        self, round: int, seat: int, trainer: Any, update: Vector, signature: bytes, sender: Any
    ) -> None:
        """Sent by `sender`, whoever that is."""
        given = update_digest(*commitment(update), str(trainer))
        call = (self.project, round, seat, str(trainer), given, BLOB, signature)
        self.world.market.submitSigned(*call, {"from": sender})
        self._arrived(round, seat, given, update)

    def relayed(self, round: int, trainer: Any, update: Vector) -> bytes:
        """The hash that a trainer signs so that anybody may send its submission."""
        digest = update_digest(*commitment(update), str(trainer))
        return bytes(self.world.market.relayedHash(self.project, round, digest, BLOB))

    def _arrived(self, round: int, seat: int, digest: bytes, update: Vector | None) -> None:
        cohort, slot = divmod(seat, self.terms.slots)
        received = self.of(round, cohort)
        received.order += bytes([slot])
        received.digests.append(digest)
        received.updates.pop(slot, None)
        if update is not None:
            received.updates[slot] = update

    def refer(self, round: int, update: Vector, sender: Any | None = None) -> None:
        digest = update_digest(*commitment(update), str(self.owner))
        self.world.market.submitReference(self.project, round, digest, BLOB, {"from": sender or self.owner})
        self.references[round] = update

    def post_batch(
        self,
        state: Project,
        cohort: int,
        updates: Mapping[int, Vector],
        unsigned: Sequence[int] = (),
        sender: Any | None = None,
    ) -> None:
        """The current aggregator's batch of `updates` by slot; nobody signed those in `unsigned`."""
        round, received = state.round, self.of(state.round, cohort)
        entries: dict[int, tuple[bytes, bytes]] = {}
        valid: dict[int, Vector] = {}
        signed: set[int] = set()
        for slot, update in sorted(updates.items()):
            trainer = self.trainer_in(state, round, cohort * self.terms.slots + slot)
            digest = update_digest(*commitment(update), str(trainer) if trainer else NATIVE_COIN)
            entries[slot] = digest, NO_SIGNATURE
            if trainer is not None and slot not in unsigned:
                entries[slot] = digest, self.world.signature(trainer, self.project, round, digest)
                signed.add(slot)
                if slot not in received.order:
                    valid[slot] = update
        root = batch_root([d for d, _ in entries.values()], [s for _, s in entries.values()])
        self.world.market.postBatch(
            self.project, round, cohort, mask(entries), root, BLOB, {"from": sender or self.turn(state)}
        )
        received.batch, received.signed = entries, signed
        received.order += bytes([BATCH])
        received.updates.update(valid)

    def complain(self, round: int, cohort: int, slots: Sequence[int], aggregator: Any) -> None:
        arrivals = self.of(round, cohort).arrivals().to_abi()
        self.world.market.complain(self.project, round, cohort, mask(slots), arrivals, {"from": aggregator})

    def answer(self, round: int, cohort: int, slot: int, sender: Any, update: Vector | None = None) -> None:
        """`update`: another one than the slot's."""
        if update is None:
            known = self.of(round, cohort).updates
            update = self.references[round] if slot == REFERENCE else known[slot]
        shown = opening(self.terms.circuit, update, 2).to_abi()
        self.world.market.answer(
            self.project, round, cohort, slot, commitment(update), shown, {"from": sender}
        )

    def updates_of(self, state: Project, cohort: int, complained: int) -> dict[int, Vector]:
        """What a result is about: the updates that are there, and the reference."""
        updates = dict(self.of(state.round, cohort).updates)
        if state.round in self.references:
            updates[REFERENCE] = self.references[state.round]
        return {slot: update for slot, update in updates.items() if not complained >> slot & 1}

    def honest(self, state: Project, cohort: int) -> tuple[RoundResult, Judgement, dict[int, Vector]]:
        """The honest result of a cohort's round, what Python says of it, and of what."""
        complained = int(self.world.market.cohortOf(self.project, cohort)[3])
        received = self.of(state.round, cohort)
        updates = self.updates_of(state, cohort, complained)
        judgement = judged(self.terms, updates, received.positions(self.terms.slots))
        posted = result(self.terms, state, cohort, updates, judgement, received.arrivals())
        return posted, judgement, updates

    def post(
        self, state: Project, posted: RoundResult, updates: Mapping[int, Vector], sender: Any | None = None
    ) -> Any:
        """Posts a result and keeps its outcome; `updates` are those that it is about."""
        fields = {"from": sender or self.turn(state)}
        sent = self.world.market.postResult(self.project, posted.to_abi(), fields)
        event = sent.events["ResultPosted"][0]
        seats = posted.cohort * self.terms.slots
        paid = [(slot, int(amount)) for slot, amount in enumerate(event["amounts"]) if amount]
        prefix = commitments(self.terms, updates)
        statement = keccak(keccak(prefix) + keccak(b"".join(g.to_bytes(32, "big") for g in posted.gram)))
        struck = sent.events["TrainerStruck"] if "TrainerStruck" in sent.events else []  # noqa: SIM401 - no dict
        outcome = Outcome(
            round=state.round,
            cohort=posted.cohort,
            aggregator_index=state.aggregator_index,
            fee=int(event["fee"]),
            escrow=int(event["escrow"]),
            pot=int(event["pot"]),
            slashed=sum(int(strike["slashed"]) for strike in struck),
            model=state.model,
            statement=statement if self.terms.settlement is Settlement.ON_DEMAND else bytes(32),
            numbers=tuple(number_in_seat(state, state.round, seats + slot) or 0 for slot, _ in paid),
            amounts=tuple(amount for _, amount in paid),
        )
        merged = [updates[slot] for slot in members(posted.merged)]
        model = Point(int(event["x"]), int(event["y"]))
        self.vectors[model] = tuple(map(sum, zip(self.vectors[state.model], *merged, strict=True)))
        self.outcomes.setdefault(state.round, []).append(outcome)
        self.proofs[state.round, posted.cohort] = posted.gram, prefix + bytes(TRAILER)
        return sent

    def expected_model(self, model: Point, updates: Mapping[int, Vector], judgement: Judgement) -> Point:
        """The model's commitment after a round."""
        merged = [commitment(tuple(updates[slot])) for slot in judgement.merged]
        return moved(model, merged, commitment((0,) * LENGTH))

    # After a round

    def challenge(self, kind: ChallengeKind, cohort: int, who: Any) -> None:
        """`who` puts the deposit up."""
        outcomes = [outcome.to_abi() for outcome in self.outcomes.get(self.state().outcome_round, [])]
        self.world.market.challenge(self.project, kind, cohort, outcomes, {"from": who})

    def answer_proof(self, cohort: int, sender: Any) -> None:
        gram, proof = self.proofs[self.state().outcome_round, cohort]
        self.world.market.answerProof(self.project, gram, proof, {"from": sender})

    def answer_model(self, sender: Any, vector: Vector | None = None) -> None:
        """`vector`: another one than the model."""
        known = self.vectors[self.state().model] if vector is None else vector
        shown = opening(self.terms.circuit, known, 4).to_abi()
        self.world.market.answerModel(self.project, shown, {"from": sender})

    def undo(self, sender: Any) -> None:
        outcomes = [outcome.to_abi() for outcome in self.outcomes[self.state().outcome_round]]
        self.world.market.undo(self.project, outcomes, {"from": sender})
