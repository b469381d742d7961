from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from web3.types import RPCEndpoint

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.client import MarketClient
from marketplace.chain.deployment import Deployment
from marketplace.chain.endpoint import EndpointAway
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import (
    NATIVE_COIN,
    NO_PERMIT,
    Account,
    ChallengeKind,
    Member,
    Record,
    Terms,
    Unbonding,
    address,
)
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.errors import FairshareError, Reason


def reason_of(action: Callable[[], Any]) -> Reason:
    with pytest.raises(FairshareError) as caught:
        action()
    assert caught.value.hint
    return caught.value.reason


def test_connect_finds_a_market(client: MarketClient, deployment: Deployment) -> None:
    assert client.vault.address == deployment.vault
    assert client.judge == deployment.judge
    assert client.vault.unbonding_delay() == 3600


def test_wrong_chain_wrong_address_no_market(anvil: Anvil, deployment: Deployment) -> None:
    wrong_chain = MarketClient(anvil.url, deployment.market, expected_chain_id=1)
    assert reason_of(wrong_chain.connect) is Reason.WRONG_CHAIN
    for place in (public_account(5).address, deployment.vault, deployment.gram_verifier):
        assert reason_of(MarketClient(anvil.url, place).connect) is Reason.NO_CONTRACT
    assert reason_of(lambda: MarketClient(anvil.url, "0x12")) is Reason.BAD_INPUT


def test_nobody_answers(deployment: Deployment) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        silent = MarketClient(url, deployment.market, retry_for_s=0.3)
        started = time.monotonic()
        assert reason_of(silent.connect) is Reason.CHAIN_UNREACHABLE
        assert time.monotonic() - started >= 0.1  # it has tried again


@pytest.mark.parametrize(
    "answer",
    [
        {"raw": b"<html>hello</html>"},
        {"raw": b"[]"},
        {"raw": b"\xff\xfe"},
        {"raw": b"[" * 100_000},
        {"status": 404, "raw": b"{}"},
        {"error": {"code": -32000, "message": "out\nof order"}},
        {"error": "text"},
        {"result": None},
        {"result": "0xzz"},
        {"result": {"a": 1}},
    ],
    ids=lambda answer: str(answer)[:40],
)
def test_rubbish_from_the_endpoint(
    answer: dict[str, Any], anvil: Anvil, deployment: Deployment, proxies: Callable[..., str]
) -> None:
    url = proxies(anvil.url, lambda method, parameters: dict(answer))
    client = MarketClient(url, deployment.market, retry_for_s=0.2)
    with pytest.raises(FairshareError) as caught:
        client.connect()
    assert caught.value.reason in (Reason.CHAIN_UNREACHABLE, Reason.INTEGRITY)
    assert "\n" not in caught.value.message


def test_a_busy_endpoint_is_asked_again(
    anvil: Anvil, deployment: Deployment, proxies: Callable[..., str]
) -> None:
    refusals = iter([{"status": 503, "raw": b"busy"}, {"status": 429, "raw": b"slow down"}])
    url = proxies(anvil.url, lambda method, parameters: next(refusals, None))
    assert MarketClient(url, deployment.market).connect().project_count() >= 0
    assert next(refusals, None) is None


def test_an_endpoint_that_limits_requests_is_away_and_not_the_wrong_one(
    anvil: Anvil, deployment: Deployment, proxies: Callable[..., str]
) -> None:
    busy = {"error": {"code": -32005, "message": "limit exceeded"}}
    with pytest.raises(EndpointAway):
        MarketClient(proxies(anvil.url, lambda method, parameters: dict(busy)), deployment.market).connect()


def test_urls_that_are_none() -> None:
    for url in ("ftp://127.0.0.1/", "nonsense", "http://"):
        assert reason_of(ChainClient(url, retry_for_s=0.1).connect) is Reason.BAD_INPUT


def test_unknown_projects_and_blocks(client: MarketClient) -> None:
    unknown = client.project_count() + 1000
    assert reason_of(lambda: client.project(unknown)) is Reason.NOT_FOUND
    assert reason_of(lambda: client.terms(unknown)) is Reason.NOT_FOUND
    assert reason_of(lambda: client.circuit(bytes(32))) is Reason.NOT_FOUND
    assert reason_of(lambda: client.block(10**9)) is Reason.NOT_FOUND
    assert reason_of(lambda: client.transaction_input(bytes(32))) is Reason.NOT_FOUND


def test_nothing_is_known_of_a_stranger(client: MarketClient) -> None:
    stranger = address(public_account(9).address)
    assert client.trainer_record(stranger) == Record(0, 0, 0, 0, 0)
    assert client.aggregator_record(stranger) == Record(0, 0, 0, 0, 0)
    assert client.score_of(stranger) == 0
    assert client.membership(1, stranger) == Member(0, 0, False, 0, 0)
    assert client.claimable(1, stranger) == 0
    assert client.vault.unbonding(NATIVE_COIN, stranger) == Unbonding(0, 0)
    assert client.trainer(10**6, 0) == Account(NATIVE_COIN, 0)
    assert client.aggregators(10**6) == ()
    assert client.number_of(10**6, 1, 0) is None
    assert client.complaint(1, 1, 0, 0) is None
    assert client.challenge(10**6).kind is ChallengeKind.NONE
    assert client.cohort(10**6, 0).round == 0


def test_many_trainers_are_read_in_batches(
    anvil: Anvil,
    client: MarketClient,
    deployment: Deployment,
    terms: Terms,
    senders: Callable[..., TransactionSender],
    proxies: Callable[..., str],
) -> None:
    asked: list[str] = []
    refuse = False

    def count(method: str, parameters: list[Any]) -> dict[str, Any] | None:
        asked.append(method)
        if method == "batch" and refuse:
            return {"error": {"code": -32600, "message": "no batches here"}}
        return None

    owner = senders(anvil, 14)
    posted = replace(terms, trainers=130, trainer_stake=0)
    create = client.market.functions.create(posted.to_abi(), NO_PERMIT.to_abi())
    owner.send("create", create, posted.reward)
    project = client.project_count()
    joined = [address(f"0x{number + 1:040x}") for number in range(130)]
    ask = client.web3.provider.make_request
    for trainer in joined:  # nobody signs for these addresses: the chain itself lets them act
        ask(RPCEndpoint("anvil_setBalance"), [trainer, hex(10**18)])
        ask(RPCEndpoint("anvil_impersonateAccount"), [trainer])
        data = client.market.encode_abi("join", [project, bytes(32)])
        sent = ask(
            RPCEndpoint("eth_sendTransaction"), [{"from": trainer, "to": client.address, "data": data}]
        )
        assert "result" in sent, sent
    client.web3.eth.wait_for_transaction_receipt(sent["result"])  # anvil answers before the block is there
    counted = deployment.client(proxies(anvil.url, count))
    newest = client.latest_block()
    assert counted.trainers(project) == tuple(joined)
    assert asked.count("batch") == 2
    assert counted.trainers(project, block=newest.hash) == tuple(joined)
    assert counted.trainers(project, block=newest.number - 1) == tuple(joined[:-1])
    refuse = True
    assert counted.trainers(project) == tuple(joined)
    assert counted.trainer(project, 7) == Account(joined[7], 0)


@pytest.mark.parametrize(
    "answer",
    [{"raw": b"[]"}, {"raw": b"[1]"}, {"raw": b"[{}]"}, {"raw": b'{"x": 1}'}, {"raw": b"null"}],
    ids=str,
)
def test_rubbish_instead_of_a_batch(
    answer: dict[str, Any], anvil: Anvil, deployment: Deployment, proxies: Callable[..., str]
) -> None:
    url = proxies(anvil.url, lambda method, _: dict(answer) if method == "batch" else None)
    client = deployment.client(url)
    views = [client.market_view("projectCount")] * 2
    assert reason_of(lambda: client.call_many("count", views)) is Reason.CHAIN_UNREACHABLE


def test_numbers_that_no_enum_has(anvil: Anvil, deployment: Deployment, proxies: Callable[..., str]) -> None:
    lie = {"result": "0x" + (9).to_bytes(32, "big").hex() * 7}
    url = proxies(anvil.url, lambda method, _: dict(lie) if method == "eth_call" else None)
    client = MarketClient(url, deployment.market)
    assert reason_of(lambda: client.challenge(1)) is Reason.CHAIN_UNREACHABLE
