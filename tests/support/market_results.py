"""How rounds end on a real chain, by hand: results with real proofs, challenges, money out. Goes with `market_run`."""

from __future__ import annotations

from collections.abc import Iterable

from eth_account.signers.local import LocalAccount
from web3.types import TxReceipt

from marketplace.chain.types import Arrivals, ChallengeKind, Opening, RoundResult, Settlement
from marketplace.node.arrivals import received
from marketplace.node.outcomes import outcomes
from marketplace.node.project import rules_of
from marketplace.node.seats import cohort_trainers
from marketplace.node.signatures import signed_by
from marketplace.protocol.field import to_felt
from marketplace.protocol.fixed_point import apply_updates
from marketplace.protocol.gram import Gram, gram
from marketplace.protocol.krum import Judgement, judge, mask, members
from marketplace.storage.cid import digest_of
from marketplace.updates.codec import pack_model
from tests.support import market_run as run
from tests.support.market_run import SALT, VALIDATION, Play, Update
from zk import curve
from zk.commit import Committer
from zk.curve import Point
from zk.opening import open_at
from zk.prover import prove


def judged(play: Play, cohort: int = 0) -> Judgement:
    """The rules' judgement of what arrived in this round and was not withheld."""
    return _judged(play, cohort, run.arrived(play, cohort))[0]


def result_of(play: Play, cohort: int = 0, *, open_batch: bool = True) -> RoundResult:
    """The result of a cohort's round, and the new model in the store."""
    known = run.arrived(play, cohort, open_batch=open_batch)
    verdict, rows, matrix = _judged(play, cohort, known)
    if play.terms.settlement is Settlement.PROVED:
        proved = prove(play.stage.files, rows)
        assert proved.gram == matrix.triangle
        proof = proved.proof
    else:
        proof = b"".join(curve.to_bytes(_commitment(play, row)) for row in rows)
    model = apply_updates(play.model, _merged(rows, verdict))
    cid = play.stage.store.add(pack_model(model))
    play.blobs[f"model {play.round}"] = cid
    return RoundResult(
        round=play.round,
        cohort=cohort,
        merged=mask(verdict.merged),
        median_score_slot=verdict.median_score_slot,
        median_norm_slot=verdict.median_norm_slot,
        model=digest_of(cid),
        before=curve.x_bytes(play.client.project(play.project).model),
        neighbours=tuple(mask(near) for near in verdict.neighbours),
        gram=tuple(to_felt(entry) for entry in matrix.triangle),
        arrivals=known,
        proof=proof,
    )


def post_result(
    play: Play,
    account: LocalAccount,
    cohort: int = 0,
    *,
    result: RoundResult | None = None,
    open_batch: bool = True,
) -> TxReceipt:
    """Proves (or, on demand, does not) and posts a cohort's result."""
    run.close_window(play)
    round_ = play.round
    result = result or result_of(play, cohort, open_batch=open_batch)
    merged = [play.updates[cohort, slot] for slot in members(result.merged)]
    receipt = run.send(play.client, account, play.calls.postResult(play.project, result.to_abi()))
    play.model = apply_updates(play.model, merged)
    assert round_ == result.round
    return receipt


def challenge(play: Play, account: LocalAccount, kind: ChallengeKind, cohort: int = 0) -> None:
    """Challenges the previous round's results, with a deposit."""
    run.deposit(play, account, play.terms.complaint_deposit)
    known = [outcome.to_abi() for outcome in outcomes(play.client, play.project)]
    run.send(play.client, account, play.calls.challenge(play.project, int(kind), cohort, known))


def answer_model(play: Play, account: LocalAccount) -> None:
    """Answers with the model that the project stands at."""
    opening = open_at(play.stage.files, play.model, circuit=play.terms.circuit)
    shown = Opening(opening.packed, opening.proof).to_abi()
    run.send(play.client, account, play.calls.answerModel(play.project, shown))


def answer_proof(play: Play, account: LocalAccount, rows: list[Update | None]) -> None:
    """Answers with the proof of the rows behind the challenged result, one an input."""
    proved = prove(play.stage.files, rows)
    felts = [to_felt(entry) for entry in proved.gram]
    run.send(play.client, account, play.calls.answerProof(play.project, felts, proved.proof))


def undo(play: Play, account: LocalAccount) -> None:
    """Lets a challenge's deadline pass, and undoes its round."""
    known = outcomes(play.client, play.project)
    run.pass_time(play.client, play.client.challenge(play.project).deadline)
    call = play.calls.undo(play.project, [outcome.to_abi() for outcome in known])
    run.send(play.client, account, call)
    play.model = play.models[known[0].round]


def settle(play: Play) -> None:
    """Lets the last challenge window pass, and ends the project."""
    run.pass_time(play.client, play.client.project(play.project).challenge_deadline)
    run.send(play.client, play.owner, play.calls.settle(play.project))


def reveal(play: Play) -> None:
    """The owner reveals its validation set."""
    run.send(play.client, play.owner, play.calls.reveal(play.project, VALIDATION, SALT))


def claim(play: Play, account: LocalAccount) -> None:
    """Pays an account what it earned, if there is anything."""
    if play.client.claimable(play.project, run.address_of(account)):
        run.send(play.client, account, play.calls.claim(play.project, account.address))


def release(play: Play, account: LocalAccount) -> None:
    """Frees the stake or bond of an ended project."""
    if play.client.membership(play.project, run.address_of(account)).locked:
        run.send(play.client, account, play.calls.release(play.project))


def rows_of(play: Play, cohort: int, present: Iterable[int], reference: bool) -> list[Update | None]:
    """What a proof is made of: an update an input, None where it is absent."""
    there = set(present)
    rows = [play.updates[cohort, slot] if slot in there else None for slot in range(play.terms.slots)]
    if rules_of(play.terms).reference:
        rows.append(play.reference if reference else None)
    return rows


def _judged(play: Play, cohort: int, known: Arrivals) -> tuple[Judgement, list[Update | None], Gram]:
    terms, state = play.terms, play.client.project(play.project)
    held = play.client.cohort(play.project, cohort)
    seated = cohort_trainers(play.client, play.project, state, terms.slots, state.round, cohort)
    is_signed = signed_by(play.client, play.project, state.round, seated)
    said = received(known, terms.slots, held.batched, is_signed)
    present = [slot for slot in said.slots if not held.complained >> slot & 1]
    reference = state.reference_round == state.round and not held.complained >> terms.slots & 1
    rows = rows_of(play, cohort, present, reference)
    matrix = gram(rows)
    verdict = judge(rules_of(terms), matrix, present, said.positions, reference_present=reference)
    return verdict, rows, matrix


def _merged(rows: list[Update | None], verdict: Judgement) -> list[Update]:
    return [row for slot in verdict.merged if (row := rows[slot]) is not None]


def _commitment(play: Play, row: Update | None) -> Point:
    return play.stage.files.zero if row is None else Committer(play.stage.files).commit(row)
