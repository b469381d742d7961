"""Projects side by side on one real market, of which results and answers are forged from each other's true ones.

All have the circuit of 6 x 8 and the same six accounts as trainers, so that as much as possible fits elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from eth_account.signers.local import LocalAccount

from marketplace.chain.reverts import Revert, decode_revert
from marketplace.chain.types import NATIVE_COIN, ChallengeKind, Opening, RoundResult
from marketplace.devnet.anvil import public_account
from marketplace.node.project import rules_of
from marketplace.protocol.field import from_felt, to_felt
from marketplace.protocol.gram import Gram
from marketplace.protocol.krum import judge, mask
from tests.support import market_results as results
from tests.support import market_run as run
from tests.support.circuits import circuit_cache
from tests.support.hostile_prover import Proved, proofs_of, witness_of
from tests.support.market_run import WINDOW_S, Play, Stage, Update
from zk import felts, keys
from zk.commit import Committer
from zk.curve import Point
from zk.opening import open_at
from zk.prover import Proof, prove
from zk.shape import CircuitShape

INPUTS, LENGTH = 6, 8
ABSENT = 4  # the slot of the round that nobody submitted for
_PROJECTS = 10
_GAS = 25_000_000
_CONTACT = b"/ip4/127.0.0.1/tcp/4001"
_TRAINERS = range(1, 1 + INPUTS)


@dataclass(frozen=True)
class Plan:
    """Who submits what in a round."""

    updates: Sequence[Update]
    absent: int = ABSENT
    accounts: Sequence[int] = _TRAINERS

    @property
    def here(self) -> list[int]:
        return [slot for slot in range(INPUTS) if slot != self.absent]

    @property
    def rows(self) -> tuple[Update | None, ...]:
        return tuple(self.updates[slot] if slot in self.here else None for slot in range(INPUTS))


@dataclass(frozen=True)
class Round:
    """A round whose window is closed, and the result that its aggregator may post."""

    play: Play
    rows: tuple[Update | None, ...]
    result: RoundResult


@dataclass(frozen=True)
class Scene:
    """`here` is what forgeries are of; the rest is true somewhere else.

    Rounds: `other` has other updates; `present` here's, but the absent one is there and slot 0 is not; in `seated` the
    same trainers with the same updates sit elsewhere; in `twin` other trainers submitted here's updates.
    Proofs of here's statement: `again` with the same circuit; `foreign` with another SRS; `shorter` with the same SRS
    and the circuit of one number less, which the updates leave zero; `longer` with a public number too many, which
    ezkl's own verifier takes for true.
    Challenged, with the updates `all_rows`: `doubted` for the proof of its true result on demand; `lied` for that of
    the numbers `lie`, one of which is wrong; `shown` for its model; in `withheld` slot 2 is complained about.
    """

    stage: Stage
    here: Round
    again: Proof
    other: Round
    present: Round
    seated: Round
    twin: Round
    foreign: Proof
    shorter: Proof
    longer: Proved
    doubted: Play
    lied: Play
    lie: tuple[int, ...]
    all_rows: tuple[Update, ...]
    shown: Play
    withheld: Play


def set_scene(url: str) -> Scene:
    """Plays everything up to where the forgeries come in."""
    stage = run.set_stage(url, circuit_cache(), slots=INPUTS, length=LENGTH)
    _fund(stage)
    reversed_ = tuple(reversed(_TRAINERS))
    here, other, present, seated, twin = closed_rounds(
        stage,
        [
            Plan(updates_of(1)),
            Plan(updates_of(2)),
            Plan(updates_of(1), absent=0),
            Plan(updates_of(1)[::-1], absent=INPUTS - 1 - ABSENT, accounts=reversed_),
            Plan(updates_of(1), accounts=reversed_),
        ],
    )
    rows = here.rows
    foreign = keys.build(stage.files.shape, circuit_cache().with_name("test-circuits-of-another-srs"))
    shorter = keys.build(CircuitShape(INPUTS, LENGTH - 1), circuit_cache())
    lied, lie = _doubted(stage, lie=1)
    return Scene(
        stage=stage,
        here=here,
        again=prove(stage.files, rows),
        other=other,
        present=present,
        seated=seated,
        twin=twin,
        foreign=prove(foreign, rows),
        shorter=prove(shorter, [None if row is None else row[:-1] for row in rows]),
        longer=_longer(stage, rows),
        doubted=_doubted(stage)[0],
        lied=lied,
        lie=lie,
        all_rows=tuple(updates_of(1)),
        shown=_shown(stage),
        withheld=_withheld(stage),
    )


def updates_of(seed: int) -> list[Update]:
    """A common direction and noise; the last number is zero."""
    random = np.random.default_rng(seed)
    rows = random.normal(0, 40, LENGTH) + random.normal(0, 8, (INPUTS, LENGTH))
    rows[:, -1] = 0
    return list(np.rint(rows).astype(np.int16))


def closed_rounds(stage: Stage, plans: Sequence[Plan]) -> list[Round]:
    """Round 1 of new projects: two slots in a batch, the others by transaction, one absent. They close together."""
    plays = []
    for plan in plans:
        play = _started(stage, plan.accounts, rounds={"count": 2, "batch_window": WINDOW_S // 3})
        batched, sent = plan.here[:2], [plan.here[3], plan.here[2], *plan.here[4:]]
        run.post_batch(play, play.aggregators[0], {slot: plan.updates[slot] for slot in batched})
        run.submit_all(play, {slot: plan.updates[slot] for slot in sent})
        plays.append(play)
    run.close_window(plays[-1])
    return [Round(play, plan.rows, results.result_of(play)) for play, plan in zip(plays, plans, strict=True)]


def refusal(play: Play, data: bytes, sender: LocalAccount | None = None) -> Revert | None:
    """How the market refuses a call, by `eth_call` from the first aggregator; None where it takes it."""
    account = sender or play.aggregators[0]
    call: Any = {
        "from": account.address,
        "to": play.client.address,
        "data": "0x" + data.hex(),
        "gas": hex(_GAS),
    }
    answer: Any = play.client.web3.provider.make_request("eth_call", [call, "latest"])  # type: ignore[arg-type]
    if "error" not in answer:
        return None
    told = bytes.fromhex(answer["error"].get("data", "0x")[2:])
    return decode_revert(told) or Revert("Undecodable", {"data": told.hex(), **answer["error"]})


def calldata(play: Play, function: str, arguments: Sequence[Any]) -> bytes:
    """A call of the market."""
    return bytes.fromhex(play.client.market.encode_abi(function, list(arguments))[2:])


def post_result(play: Play, result: RoundResult, project: int | None = None) -> bytes:
    """Calldata of a result."""
    return calldata(play, "postResult", [play.project if project is None else project, result.to_abi()])


def send(stage: Stage, account: LocalAccount, to: str, data: bytes, value: int = 0) -> None:
    """Sends a call with the key that anvil has of its own accounts: a tenth of the work of signing it here."""
    web3, gas = stage.client.web3, hex(_GAS)
    call = {"from": account.address, "to": to, "data": "0x" + data.hex(), "value": hex(value), "gas": gas}
    answer: Any = web3.provider.make_request("eth_sendTransaction", [call])  # type: ignore[arg-type]
    receipt = web3.eth.wait_for_transaction_receipt(answer["result"], poll_latency=0.02)
    assert receipt["status"] == 1


def opening_of(stage: Stage, vector: Any, circuit: bytes) -> Opening:
    """A true opening of a vector."""
    made = open_at(stage.files, vector, circuit=circuit)
    return Opening(made.packed, made.proof)


def commitment(stage: Stage, row: Update | None) -> Point:
    """C_i, or C_0 of an absent slot."""
    return stage.files.zero if row is None else Committer(stage.files).commit(row)


def felts_of(proof: Proof) -> tuple[int, ...]:
    """The public numbers as a result carries them."""
    return tuple(to_felt(entry) for entry in proof.gram)


def _started(stage: Stage, accounts: Sequence[int] = _TRAINERS, **changes: Any) -> Play:
    spec = run.spec_for(stage, task={"features": LENGTH // 2 - 1, "classes": 2}, **changes)
    play = run.post(stage, public_account(0), spec)
    aggregator = public_account(1 + INPUTS)
    run.send(
        play.client, aggregator, play.calls.joinAsAggregator(play.project, bytes([0xA0]) * 32, _CONTACT, [])
    )
    play.aggregators.append(aggregator)
    for index in accounts:
        account = public_account(index)
        joining = calldata(play, "join", [play.project, bytes([index]) * 32])
        send(stage, account, play.client.address, joining)
        play.trainers.append(account)
    run.start(play)
    return play


def _fund(stage: Stage) -> None:
    """Free stake for all the projects, at once."""
    vault = stage.client.vault.contract
    for index, amount in [(1 + INPUTS, run.BOND), *((index, run.STAKE) for index in _TRAINERS)]:
        data = vault.encode_abi("deposit", [NATIVE_COIN, _PROJECTS * amount])
        send(stage, public_account(index), vault.address, bytes.fromhex(data[2:]), _PROJECTS * amount)


def judged_anew(
    play: Play,
    result: RoundResult,
    numbers: tuple[int, ...],
    present: Sequence[int],
    positions: Sequence[int],
) -> RoundResult:
    """A result with other public numbers, and with every claim that follows from those."""
    verdict = judge(rules_of(play.terms), Gram(INPUTS, tuple(map(from_felt, numbers))), present, positions)
    return replace(
        result,
        gram=numbers,
        merged=mask(verdict.merged),
        median_score_slot=verdict.median_score_slot,
        median_norm_slot=verdict.median_norm_slot,
        neighbours=tuple(mask(near) for near in verdict.neighbours),
    )


def _doubted(stage: Stage, lie: int = 0) -> tuple[Play, tuple[int, ...]]:
    """On demand; `lie` is added to the first number of G. The numbers as they were posted."""
    play = _started(stage, settlement={"mode": "on-demand"})
    run.submit_all(play, dict(enumerate(updates_of(1))))
    true = results.result_of(play)
    numbers = (true.gram[0] + lie, *true.gram[1:])
    everybody = range(INPUTS)
    posted = judged_anew(play, true, numbers, everybody, [slot + 1 for slot in everybody])
    results.post_result(play, play.aggregators[0], result=posted)
    results.challenge(play, play.trainers[0], ChallengeKind.PROOF)
    return play, numbers


def _longer(stage: Stage, rows: Sequence[Update | None]) -> Proved:
    witness = witness_of(stage.files, [[0] * LENGTH if row is None else row.tolist() for row in rows])
    (numbers,) = witness["outputs"]
    (proved,) = proofs_of(stage.files, [witness | {"outputs": [[*numbers, felts.encode(7)]]}])
    assert proved.holds
    return proved


def _shown(stage: Stage) -> Play:
    play = _started(stage)
    run.submit_all(play, dict(enumerate(updates_of(1))))
    results.post_result(play, play.aggregators[0])
    results.challenge(play, play.trainers[0], ChallengeKind.MODEL)
    return play


def _withheld(stage: Stage) -> Play:
    play = _started(stage)
    run.submit_all(play, dict(enumerate(updates_of(1))))
    run.complain(play, play.aggregators[0], [2])
    return play
