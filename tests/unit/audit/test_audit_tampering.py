"""One byte of a blob, an event, a contract or a call differs: the audit says so, and says where."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from eth_utils.abi import function_abi_to_4byte_selector

from marketplace.audit import AuditReport, Check, checks
from marketplace.audit.history import History
from marketplace.audit.transactions import check_calldata
from marketplace.chain import events as e
from marketplace.chain.client import MarketClient
from marketplace.chain.contracts import MARKET, abi_entry
from marketplace.chain.types import ChallengeKind
from marketplace.errors import FairshareError
from tests.support import market_run as run
from tests.support.altered_history import is_only_called
from tests.support.local_store import LocalStore
from tests.support.lying_endpoint import (
    Lie,
    altered_call,
    altered_code,
    altered_input,
    altered_log,
    lying_endpoint,
)
from tests.support.market_run import Play

SETTLED_EVENTS = (
    e.ProjectCreated,
    e.TrainerJoined,
    e.AggregatorJoined,
    e.ProjectStarted,
    e.RoundOpened,
    e.UpdateSubmitted,
    e.BatchPosted,
    e.UpdatesComplained,
    e.UpdateAnswered,
    e.UpdateWithheld,
    e.KeyResealed,
    e.ResultPosted,
    e.TrainerStruck,
    e.AggregatorTimedOut,
    e.RoundClosed,
    e.Challenged,
    e.ChallengeAnswered,
    e.ProjectEnded,
    e.Released,
    e.Claimed,
)
DOUBTED_EVENTS = (
    e.ReferenceSubmitted,
    e.Challenged,
    e.ChallengeAnswered,
    e.RoundUndone,
    e.ValidationRevealed,
)


@contextmanager
def client_of(play: Play, lie: Lie) -> Iterator[MarketClient]:
    with lying_endpoint(play.stage.url, lie) as url:
        yield MarketClient(url, play.client.address, retry_for_s=0.5)


def first_failure(play: Play, cache: Path, client: MarketClient, store: LocalStore | None = None) -> Check:
    """The first check that fails, or else could not be made; the checks after a failure are not waited for."""
    found = []
    for check in checks(client, store or play.stage.store, play.project, cache):
        found.append(check)
        if check.ok is False:
            break
    first = AuditReport(tuple(found)).first_failure
    assert first is not None, "nothing failed"
    assert AuditReport(tuple(found)).exit_status in (1, 2)
    return first


@pytest.mark.parametrize("kind", SETTLED_EVENTS, ids=lambda kind: kind.__name__)
def test_a_byte_of_an_event_everywhere(
    kind: type[e.Event], settled: Play, history: History, cache: Path
) -> None:
    _alter_an_event(kind, settled, history, cache)


@pytest.mark.parametrize("kind", DOUBTED_EVENTS, ids=lambda kind: kind.__name__)
def test_a_byte_of_a_doubted_projects_event(
    kind: type[e.Event], doubted: Play, doubted_history: History, cache: Path
) -> None:
    _alter_an_event(kind, doubted, doubted_history, cache)


@pytest.mark.parametrize(
    "kind", [e.DrawScheduled, e.ProjectStarted, e.TrainerLeft], ids=lambda kind: kind.__name__
)
def test_a_byte_of_a_drawn_projects_event(
    kind: type[e.Event], drawn: Play, drawn_history: History, cache: Path
) -> None:
    _alter_an_event(kind, drawn, drawn_history, cache)


@pytest.mark.deep
@pytest.mark.parametrize("kind", e.SKETCH_EVENTS, ids=lambda kind: kind.__name__)
def test_a_byte_of_a_sketched_projects_event(
    kind: type[e.Event], questioned: Play, questioned_history: History, cache: Path
) -> None:
    _alter_an_event(kind, questioned, questioned_history, cache)


@pytest.mark.deep
@pytest.mark.parametrize("function", ["standingAnswerOf", "complainedChunkOf"])
def test_a_byte_of_what_is_held_of_sketches(function: str, questioned: Play, cache: Path) -> None:
    selector = bytes(function_abi_to_4byte_selector(abi_entry(MARKET, "function", function))).hex()  # type: ignore[arg-type]
    with client_of(questioned, altered_call(questioned.client.address, "0x" + selector, 31)) as c:
        first = first_failure(questioned, cache, c)
    assert (first.name, first.ok) == ("state", False)


def test_every_other_kind_of_question_shows_in_its_call(doubted: Play, doubted_history: History) -> None:
    """Also of one that nobody answered, of which the project keeps nothing."""
    events = doubted_history.events
    asked = [place for place, event in enumerate(events) if isinstance(event, e.Challenged)]
    assert any(is_only_called(doubted_history, place, "kind") for place in asked)
    assert not all(is_only_called(doubted_history, place, "kind") for place in asked)
    check_calldata(doubted.client, doubted_history)
    for place in asked:
        for kind in set(ChallengeKind) - {events[place].kind}:  # type: ignore[attr-defined]
            changed = dataclasses.replace(events[place], kind=kind)  # type: ignore[call-arg]
            altered = (*events[:place], changed, *events[place + 1 :])
            with pytest.raises(FairshareError, match="Challenged: kind"):
                check_calldata(doubted.client, dataclasses.replace(doubted_history, events=altered))


def _alter_an_event(kind: type[e.Event], play: Play, history: History, cache: Path) -> None:
    event = random.Random(kind.__name__).choice(history.of(kind))
    with client_of(play, lambda *_: _[2]) as client:
        log = client.web3.eth.get_transaction_receipt(event.transaction_hash)  # type: ignore[arg-type]
    data = next(bytes(entry["data"]) for entry in log["logs"] if entry["logIndex"] == event.log_index)
    byte = random.Random(kind.__name__).randrange(len(data))
    with client_of(play, altered_log(event.transaction_hash, event.log_index, byte)) as client:
        first = first_failure(play, cache, client)
    assert first.ok is False, (byte, first)


def test_a_byte_of_an_event_in_the_logs_only(settled: Play, history: History, cache: Path) -> None:
    event = history.of(e.TrainerStruck)[0]
    with client_of(
        settled, altered_log(event.transaction_hash, event.log_index, 31, in_receipts=False)
    ) as client:
        first = first_failure(settled, cache, client)
    assert first.name == "events"
    assert "TrainerStruck" in first.detail


def test_a_payment_altered_everywhere_is_named_with_its_round(
    settled: Play, history: History, cache: Path
) -> None:
    event = history.of(e.ResultPosted)[1]
    slot = next(slot for slot, amount in enumerate(event.amounts) if amount)
    with client_of(settled, lambda *_: _[2]) as client:
        receipt = client.web3.eth.get_transaction_receipt(event.transaction_hash)  # type: ignore[arg-type]
    data = next(bytes(log["data"]) for log in receipt["logs"] if log["logIndex"] == event.log_index)
    byte = len(data) - 32 * (len(event.amounts) - slot) + 31  # the last of the slot's amount
    with client_of(settled, altered_log(event.transaction_hash, event.log_index, byte)) as client:
        first = first_failure(settled, cache, client)
    assert first.name == f"round {event.round}: payments"
    assert run.address_of(settled.trainers[slot]) in first.detail


@pytest.mark.parametrize(
    "part", ["market", "vault", "reputation", "gram_verifier", "judge", "Results", "Settling"]
)
def test_a_byte_of_a_contract(part: str, settled: Play, cache: Path) -> None:
    deployment = settled.stage.deployment
    place = getattr(deployment, part, "") or deployment.libraries[part]
    with client_of(settled, altered_code(place, 777)) as client:
        first = first_failure(settled, cache, client)
    assert first.name == "contracts"
    assert place in first.detail


def test_a_byte_of_the_circuits_verifier(settled: Play, history: History, cache: Path) -> None:
    assert history.circuit is not None
    with client_of(settled, altered_code(history.circuit.verifier, 4321)) as client:
        first = first_failure(settled, cache, client)
    assert first.name == "circuit"
    assert history.circuit.verifier in first.detail


@pytest.mark.parametrize(("elsewhere", "in_proof"), [(2, 2), pytest.param(8, 5, marks=pytest.mark.deep)])
def test_a_byte_of_a_result(
    elsewhere: int, in_proof: int, settled: Play, history: History, cache: Path
) -> None:
    posted = history.of(e.ResultPosted)[0]
    calldata = settled.client.transaction_input(posted.transaction_hash)
    gram_and_proof = range(len(calldata) - history.circuit.proof_length - 600, len(calldata))  # type: ignore[union-attr]
    rest = range(4, gram_and_proof.start)
    chosen = random.Random(5)
    for byte in chosen.sample(rest, elsewhere) + chosen.sample(gram_and_proof, in_proof):
        with client_of(settled, altered_input(posted.transaction_hash, byte)) as client:
            first = first_failure(settled, cache, client)
        assert first.ok is False, (byte, first)
        assert first.name == "calldata" or "round 1" in first.name, (byte, first)


@pytest.mark.parametrize(
    "function",
    [
        "projectOf",
        "termsOf",
        "trainerOf",
        "aggregatorsOf",
        "membershipOf",
        "cohortOf",
        "challengeOf",
        "claimable",
    ],
)
def test_a_byte_of_the_contracts_state(function: str, settled: Play, cache: Path) -> None:
    selector = bytes(function_abi_to_4byte_selector(abi_entry(MARKET, "function", function))).hex()
    with client_of(
        settled, altered_call(settled.client.address, "0x" + selector, 31 if function != "termsOf" else 63)
    ) as c:
        first = first_failure(settled, cache, c)
    assert first.ok is False


@pytest.mark.parametrize("blob", ["spec", "vk", "srs", "initial model", "model 1", "model 2", "model 5"])
def test_a_byte_of_a_blob(blob: str, settled: Play, cache: Path) -> None:
    store = settled.stage.store.altered(settled.blobs[blob])
    first = first_failure(settled, cache, settled.client, store)
    assert first.ok is False
    assert settled.blobs[blob] in first.detail
    assert first.name == {
        "vk": "circuit files",
        "srs": "circuit files",
        "model 1": "round 1: model",
        "model 2": "round 2: model",
        "model 5": "final model",
    }.get(blob, blob)


@pytest.mark.parametrize("blob", ["spec", "vk", "model 2"])
def test_a_blob_that_nobody_serves_cannot_be_checked(blob: str, settled: Play, cache: Path) -> None:
    store = settled.stage.store.without(settled.blobs[blob])
    report = AuditReport(tuple(checks(settled.client, store, settled.project, cache)))  # type: ignore[arg-type]
    assert report.exit_status == 2
    assert report.first_failure is not None
    assert settled.blobs[blob] in report.first_failure.detail
    assert any(check.name == "conservation" and check.ok for check in report.checks)


def test_rubbish_instead_of_events_fails_and_does_not_crash(settled: Play, cache: Path) -> None:
    def lie(method: str, params: list[object], result: object) -> object:
        if method == "eth_getLogs" and isinstance(result, list):
            return [{**log, "data": "0x1234"} for log in result]
        return result

    with client_of(settled, lie) as client:
        first = first_failure(settled, cache, client)
    assert (first.name, first.ok) == ("history", False)


@pytest.mark.parametrize(
    "kind", [e.Released, e.Claimed, e.Slashed, e.Transferred, e.AggregatorRecorded, e.FaultRecorded]
)
def test_an_event_that_is_kept_back(kind: type[e.Event], settled: Play, cache: Path) -> None:
    hidden = e.fetch(settled.client, [kind])[0]

    def lie(method: str, params: list[object], result: object) -> object:
        if method == "eth_getLogs" and isinstance(result, list):
            return [
                log
                for log in result
                if (log["transactionHash"], int(log["logIndex"], 16))
                != ("0x" + hidden.transaction_hash.hex(), hidden.log_index)
            ]
        return result

    with client_of(settled, lie) as client:
        first = first_failure(settled, cache, client)
    assert first.ok is False
    assert first.name in {"events", "stakes", "timeline", "state"}
