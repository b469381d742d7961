"""Forged results put in front of an auditor: in what the endpoint serves, in what was read, and on the chain itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

from eth_utils.crypto import keccak

from marketplace.audit import Check, checks
from marketplace.audit.calls import find_proof, find_result
from marketplace.audit.history import History
from marketplace.audit.replay import replay
from marketplace.audit.round_checks import round_checks
from marketplace.audit.run import Run
from marketplace.audit.spoken import place_of
from marketplace.chain import events as e
from marketplace.chain.client import MarketClient
from marketplace.chain.types import RoundResult
from marketplace.errors import FairshareError
from marketplace.storage.store import ContentStore
from tests.support.false_circuits import ACCEPTS_ALL
from tests.support.forgery_scene import post_result, send
from tests.support.local_store import LocalStore
from tests.support.lying_endpoint import lying_endpoint
from tests.support.market_run import Play, Stage


def first_failure(
    play: Play, client: MarketClient | None = None, store: LocalStore | None = None
) -> Check | None:
    """The first check of a whole audit that fails, or could not be made; None where it holds."""
    stage, open_ = play.stage, None
    files = cast(ContentStore, store or stage.store)
    for check in checks(client or play.client, files, play.project, stage.cache):
        if check.ok is False:
            return check
        open_ = open_ or (check if check.ok is None else None)
    return open_


def first_doubt(play: Play, history: History) -> str:
    """What is wrong with round 1 of a history that was read; "" where all of it holds.

    The replay comes first, as it takes milliseconds; the proof is verified only where the rest is in order.
    """
    replayed = replay(history)
    if replayed.violations:
        return str(replayed.violations[0])
    for check in checks_of_round(play, history):
        if check.ok is not True:
            return f"{check.name}: {check.detail}"
    return ""


def checks_of_round(
    play: Play, history: History, store: LocalStore | None = None, number: int = 1
) -> Iterator[Check]:
    """The checks of one round of a history that was read."""
    stage, replayed = play.stage, replay(history)
    files = cast(ContentStore, store or stage.store)
    audit = Run(play.client, files, stage.cache, lambda step: None, None, 1.0, history, replayed)
    audit.files, audit.spec = stage.files, play.spec
    return round_checks(audit, replayed.rounds[number - 1])


def with_result(history: History, calldata: bytes) -> History:
    """The history, had the result's transaction carried this."""
    (event,) = history.of(e.ResultPosted)
    try:
        found: RoundResult | str = find_result(calldata, history.project, event.round, event.cohort)
    except FairshareError as error:
        found = error.message
    return replace(history, results={place_of(event): found})


def with_proof(history: History, calldata: bytes) -> History:
    """The history, had the answer to the demand for a proof carried this."""
    (event,) = history.of(e.ChallengeAnswered)
    try:
        return replace(history, proofs={event.transaction_hash: find_proof(calldata, history.project)})
    except FairshareError as error:
        return replace(history, proofs={event.transaction_hash: error.message})


@contextmanager
def serving(play: Play, transaction: bytes, calldata: bytes) -> Iterator[MarketClient]:
    """A client of an endpoint that says that this is what the transaction carried."""

    def lie(method: str, params: list[Any], result: Any) -> Any:
        mine = method == "eth_getTransactionByHash" and params[0] == "0x" + transaction.hex()
        return {**result, "input": "0x" + calldata.hex()} if mine else result

    with lying_endpoint(play.stage.url, lie) as url:
        yield MarketClient(url, play.client.address, retry_for_s=0.5)


@contextmanager
def posted(play: Play, result: RoundResult, *, bribed: bool) -> Iterator[None]:
    """The chain as it is after a result was taken, and then as it was before.

    `bribed`: while it is posted, the circuit's verifier takes any proof; nothing of that is left to be seen.
    """
    with undone_after(play.stage):
        if bribed:
            with _bribed_verifier(play.stage):
                _post(play, result)
        else:
            _post(play, result)
        yield


@contextmanager
def answered(play: Play, calldata: bytes) -> Iterator[None]:
    """The chain as it is after the aggregator answered a challenge, and then as it was before."""
    with undone_after(play.stage):
        send(play.stage, play.aggregators[0], play.client.address, calldata)
        yield


def _post(play: Play, result: RoundResult) -> None:
    send(play.stage, play.aggregators[0], play.client.address, post_result(play, result))


@contextmanager
def undone_after(stage: Stage) -> Iterator[None]:
    """The chain afterwards is as it was before."""
    snapshot = _request(stage, "evm_snapshot")
    try:
        yield
    finally:
        assert _request(stage, "evm_revert", snapshot)


@contextmanager
def _bribed_verifier(stage: Stage) -> Iterator[None]:
    """Other code at the verifier's address, and its hash where GramVerifier keeps the true one's."""
    verifier, registry = stage.client.circuit(stage.circuit).verifier, stage.deployment.gram_verifier
    code = _request(stage, "eth_getCode", verifier, "latest")
    kept = keccak(hexstr=code)
    slot = _slot_of(stage, registry, kept)
    _request(stage, "anvil_setCode", verifier, "0x" + ACCEPTS_ALL.hex())
    _request(stage, "anvil_setStorageAt", registry, slot, "0x" + keccak(ACCEPTS_ALL).hex())
    try:
        yield
    finally:
        _request(stage, "anvil_setCode", verifier, code)
        _request(stage, "anvil_setStorageAt", registry, slot, "0x" + kept.hex())


def _slot_of(stage: Stage, registry: str, kept: bytes) -> str:
    first = int.from_bytes(keccak(stage.circuit + bytes(32)), "big")
    for slot in range(first, first + 32):
        if _request(stage, "eth_getStorageAt", registry, hex(slot), "latest") == "0x" + kept.hex():
            return hex(slot)
    raise AssertionError("GramVerifier keeps the verifier's code hash elsewhere")


def _request(stage: Stage, method: str, *params: Any) -> Any:
    answer: Any = stage.client.web3.provider.make_request(method, list(params))  # type: ignore[arg-type]
    assert "error" not in answer, answer
    return answer["result"]
