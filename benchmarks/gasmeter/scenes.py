"""The projects that are played: between them, every call of the market in the states that change its cost."""

from __future__ import annotations

from eth_utils.crypto import keccak

from gasmeter.stage import (
    DEPOSIT,
    SALT,
    SEALED_KEY,
    STAKE,
    VALIDATION,
    Play,
    Rows,
    Stage,
    create,
    digest_of,
)
from marketplace.chain.types import NATIVE_COIN, ChallengeKind, ScoreRule, Settlement, address
from marketplace.node.outcomes import outcomes
from marketplace.protocol.field import to_felt


def proved(stage: Stage, honest: Rows, attacked: Rows | None) -> None:
    """Proofs with every result: by transactions, by a batch, after complaints, a challenge, a take-over, a skip."""
    cancelled = create(stage, "create: a market's first")
    cancelled.send(cancelled.owner, cancelled.calls.cancel(cancelled.project), "cancel")
    play = create(stage, "create")
    play.gather()
    _leave_and_start(play)
    slots, last = list(range(play.terms.slots)), play.terms.slots - 1
    named = {0: "submit: first of round 1", 1: "submit: round 1", last: "submit: last of a round"}
    play.submit(honest, slots, named)
    play.post(honest, "postResult: round 1")
    play.submit(honest, slots, {0: "submit: first of a later round", 1: "submit"})
    play.post(honest, "postResult")
    challenge(play, ChallengeKind.MODEL, "challenge: the model")
    play.send(
        play.aggregators[0], play.calls.answerModel(play.project, play.opening(play.model)), "answerModel"
    )

    play.post_batch(honest, slots, "postBatch")
    play.post(honest, "postResult: all of a batch")
    if attacked is not None:
        _defended(play, attacked)
        play.submit(honest, slots[:2], {})
        play.meter.wait_until(play.meter.client.project(play.project).submit_deadline)
        play.send(play.owner, play.calls.skip(play.project, play.round, 0), "skip")
    _paid_out(play)


def on_demand(stage: Stage, honest: Rows) -> None:
    """Results without a proof: one proved when challenged, one undone."""
    play = create(stage, rounds=3, settlement=Settlement.ON_DEMAND)
    play.gather()
    play.send(play.owner, play.calls.start(play.project))
    slots = range(play.terms.slots)
    play.submit(honest, slots, {})
    play.post(honest, "postResult on demand: round 1")
    play.submit(honest, slots, {})
    play.post(honest, "postResult on demand")
    challenge(play, ChallengeKind.PROOF, "challenge: a proof")
    felts = [to_felt(entry) for entry in honest.proof.gram]
    call = play.calls.answerProof(play.project, felts, honest.proof.proof)
    play.send(play.aggregators[0], call, "answerProof")
    challenge(play, ChallengeKind.MODEL)
    known = [outcome.to_abi() for outcome in outcomes(play.meter.client, play.project)]
    play.meter.wait_until(play.meter.client.challenge(play.project).deadline)
    play.send(play.doubter, play.calls.undo(play.project, known), "undo")


def by_reference(stage: Stage, rows: Rows) -> None:
    """A project with references, to the reveal of the validation set."""
    play = create(stage, "create: with references", rounds=2, score_rule=ScoreRule.REFERENCE)
    play.gather()
    play.send(play.owner, play.calls.start(play.project))
    for round_ in (1, 2):
        play.submit_reference(rows, f"submitReference{'' if round_ == 2 else ': round 1'}")
        play.submit(rows, range(play.terms.slots), {})
        play.post(rows, f"postResult by reference{'' if round_ == 2 else ': round 1'}")
    play.send(play.owner, play.calls.reveal(play.project, VALIDATION, SALT), "reveal")
    play.meter.wait_until(play.meter.client.project(play.project).challenge_deadline)
    play.send(play.owner, play.calls.settle(play.project), "settle: with references")


def drawn(stage: Stage, honest: Rows) -> None:
    """Two cohorts of drawn trainers; the seed is a block's hash, so these figures vary a little."""
    slots = stage.files.shape.slots
    play = create(stage, rounds=1, settlement=Settlement.ON_DEMAND, cohorts=2, trainers=2 * slots + 1)
    play.gather()
    play.send(play.owner, play.calls.start(play.project), "start: with a draw")
    play.meter.ask("evm_mine")
    play.send(play.owner, play.calls.draw(play.project), "draw")
    for cohort in (0, 1):
        play.submit(honest, range(slots), {1: "submit: drawn"}, cohort)
    for cohort in (0, 1):
        name = ("drawn, first cohort", "drawn, last cohort")[cohort]
        play.post(honest, f"postResult on demand: {name}", cohort=cohort)


def challenge(play: Play, kind: ChallengeKind, name: str | None = None) -> None:
    """Somebody challenges the previous round."""
    play.deposit(play.doubter, DEPOSIT)
    known = [outcome.to_abi() for outcome in outcomes(play.meter.client, play.project)]
    play.send(play.doubter, play.calls.challenge(play.project, int(kind), 0, known), name)


def settled(play: Play) -> None:
    """A trainer, the owner and an aggregator claim what a finished project owes them."""
    client, first = play.meter.client, play.aggregators[0]
    play.meter.wait_until(client.project(play.project).challenge_deadline)
    play.send(play.owner, play.calls.settle(play.project), "settle")
    # On the sketch path the seed decides who was merged.
    earned = (who for who in play.trainers[2:] if client.claimable(play.project, address(who.address)))
    trainer = next(earned)
    play.send(trainer, play.calls.claim(play.project, trainer.address), "claim: trainer")
    play.send(play.owner, play.calls.claim(play.project, play.owner.address), "claim: owner")
    play.send(first, play.calls.claim(play.project, first.address), "claim: aggregator")


def _leave_and_start(play: Play) -> None:
    last = play.trainers[-1]
    play.send(last, play.calls.leave(play.project), "leave: the last trainer, Open")
    play.send(last, play.calls.join(play.project, SALT))
    play.send(play.owner, play.calls.start(play.project), "start")


def _defended(play: Play, rows: Rows) -> None:
    """Slot 1 submits by a signature; the first aggregator complains and times out; the second one's result strikes."""
    signer, round_ = play.seated(1), play.round
    digest, blob = digest_of(rows, 1, signer), bytes(keccak(b"blob"))
    hashed = play.meter.client.market.functions.relayedHash(play.project, round_, digest, blob).call()
    signature = bytes(signer.unsafe_sign_hash(hashed).signature)
    call = play.calls.submitSigned(play.project, round_, 1, signer.address, digest, blob, signature)
    play.send(play.owner, call, "submitSigned: first of a round")
    play.submit(rows, [slot for slot in range(play.terms.slots) if slot != 1], {})
    play.meter.wait_until(play.meter.client.project(play.project).submit_deadline)
    call = play.calls.complain(play.project, round_, 0, 0b11, play.arrived().to_abi())
    play.send(play.aggregators[0], call, "complain: about two")
    for slot in (0, 1):
        point, opening = tuple(rows.commitments[slot]), play.opening(rows.updates[slot])
        call = play.calls.answer(play.project, round_, 0, slot, point, opening)
        play.send(play.trainers[slot], call, ("answer: first", "answer")[slot])
    play.meter.wait_until(play.meter.client.project(play.project).result_deadline)
    play.send(play.owner, play.calls.timeout(play.project, round_), "timeout")
    play.send(signer, play.calls.reseal(play.project, round_, SEALED_KEY), "reseal")
    play.post(rows, "postResult: one struck, a bond in the pot", aggregator=1)


def _paid_out(play: Play) -> None:
    """The rounds that are left are skipped; stakes, earnings and the refund go out."""
    client = play.meter.client
    while client.project(play.project).round < client.project(play.project).last_round:
        play.meter.wait_until(client.project(play.project).submit_deadline)
        play.send(play.owner, play.calls.skip(play.project, play.round, 0))
    play.meter.wait_until(client.project(play.project).submit_deadline)
    play.send(play.owner, play.calls.skip(play.project, play.round, 0), "skip: the last round")
    settled(play)
    trainer, vault = play.trainers[2], client.vault.contract.functions
    play.send(trainer, play.calls.release(play.project), "release: trainer")
    play.send(play.aggregators[1], play.calls.release(play.project), "release: aggregator")
    play.send(trainer, vault.unbond(NATIVE_COIN, STAKE), "unbond")
    play.meter.wait_until(client.vault.unbonding(NATIVE_COIN, address(trainer.address)).ready_at)
    play.send(trainer, vault.withdraw(NATIVE_COIN), "withdraw")
