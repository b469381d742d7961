from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.client import MarketClient
from marketplace.chain.deployment import Deployment, deploy, verify_code
from marketplace.chain.types import NATIVE_COIN, Record, Unbonding, address
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
        {"status": 404, "raw": b"{}"},
        {"error": {"code": -32000, "message": "out\nof order"}},
        {"error": "text"},
        {"result": None},
        {"result": "0xzz"},
        {"result": {"a": 1}},
    ],
    ids=str,
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
    assert client.trainer_record(stranger) == Record(0, 0, 0, 0)
    assert client.aggregator_record(stranger) == Record(0, 0, 0, 0)
    assert client.slot_of(1, stranger) is None
    assert client.aggregator_index_of(1, stranger) is None
    assert client.credit_of(NATIVE_COIN, stranger) == 0
    assert client.vault.unbonding(NATIVE_COIN, stranger) == Unbonding(0, 0)
    assert client.submission(1, 1, 0) is None


def test_the_code_on_chain_is_this_checkouts(client: MarketClient, deployment: Deployment) -> None:
    assert verify_code(client) == deployment.code_hashes


def test_other_code_is_named(fresh_anvil: Anvil, senders: Callable[..., Any]) -> None:
    deployment = deploy(senders(fresh_anvil))
    client = deployment.client(fresh_anvil.url).connect()
    code = bytearray(client.code(address(deployment.vault)))
    code[100] ^= 1
    client.web3.provider.make_request("anvil_setCode", [deployment.vault, "0x" + code.hex()])  # type: ignore[arg-type]
    with pytest.raises(FairshareError, match="code of StakeVault") as caught:
        verify_code(client)
    assert caught.value.reason is Reason.INTEGRITY


def test_deployments_on_disk(deployment: Deployment, tmp_path: Path) -> None:
    path = tmp_path / "chain" / "deployment.json"
    deployment.save(path)
    assert Deployment.load(path) == deployment
    path.write_text(path.read_text().replace('"vault"', '"valut"'))
    with pytest.raises(FairshareError, match=r"va(ul|lu)t"):
        Deployment.load(path)
    path.write_text("{")
    assert reason_of(lambda: Deployment.load(path)) is Reason.BAD_INPUT
    assert reason_of(lambda: Deployment.load(tmp_path / "none")) is Reason.NOT_FOUND
