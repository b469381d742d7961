from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.abi import event_abi_to_log_topic
from hexbytes import HexBytes
from web3 import Web3
from web3.contract.contract import ContractFunction

from marketplace.chain import events, token
from marketplace.chain.client import MarketClient
from marketplace.chain.contracts import abi_entry
from marketplace.chain.deployment import Deployment
from marketplace.chain.sender import TransactionSender
from marketplace.chain.submission import submission_hash
from marketplace.chain.types import (
    NATIVE_COIN,
    NO_PERMIT,
    Account,
    ChallengeKind,
    Member,
    Status,
    Terms,
    address,
)
from marketplace.devnet.anvil import Anvil
from marketplace.errors import FairshareError, Reason
from tests.support.structs import A_RESULT
from zk.curve import Point


def create_call(client: MarketClient, terms: Terms) -> ContractFunction:
    return client.market.functions.create(terms.to_abi(), NO_PERMIT.to_abi())


def post_project(client: MarketClient, owner: TransactionSender, terms: Terms) -> int:
    owner.send("create", create_call(client, terms), terms.reward)
    return client.project_count()


def test_a_project_is_read_back_in_types_and_events(
    anvil: Anvil, client: MarketClient, terms: Terms, senders: Callable[..., TransactionSender]
) -> None:
    owner = senders(anvil, 1)
    start = client.latest_block().number + 1
    project = post_project(client, owner, terms)
    assert client.terms(project) == terms
    state = client.project(project)
    assert (state.status, state.owner, state.escrow) == (Status.OPEN, owner.address, terms.reward)
    assert state.model == Point(1, 2)

    trainers = [senders(anvil, 2 + i) for i in range(5)]
    vault, market = client.vault.contract.functions, client.market.functions
    for slot, trainer in enumerate(trainers):
        trainer.send("deposit", vault.deposit(NATIVE_COIN, terms.trainer_stake), terms.trainer_stake)
        trainer.send("join", market.join(project, bytes([slot]) * 32))
    aggregator = senders(anvil, 8)
    aggregator.send("deposit", vault.deposit(NATIVE_COIN, terms.aggregator_bond), terms.aggregator_bond)
    aggregator.send("join", market.joinAsAggregator(project, b"k" * 32, b"/ip4/127.0.0.1", []))
    aggregator.send("start", market.start(project))
    digest = Web3.keccak(text="a commitment")
    trainers[0].send("submit", market.submit(project, 1, 0, digest, b"b" * 32))

    assert client.trainers(project) == tuple(trainer.address for trainer in trainers)
    assert client.aggregators(project) == (Account(aggregator.address, 0),)
    members = [client.membership(project, trainer.address) for trainer in trainers]
    assert [member.trainer_number for member in members] == [0, 1, 2, 3, 4]
    assert client.membership(project, aggregator.address) == Member(0, 1, False, terms.aggregator_bond, 0)
    assert [client.number_of(project, 1, seat) for seat in range(6)] == [0, 1, 2, 3, 4, None]
    assert client.vault.locked(NATIVE_COIN, trainers[0].address) == terms.trainer_stake
    assert client.vault.free(NATIVE_COIN, trainers[0].address) == 0
    cohort = client.cohort(project, 0)
    assert (cohort.round, cohort.submitted, cohort.batched, cohort.concluded) == (1, 1, 0, False)
    assert cohort.chain == Web3.keccak(bytes(32) + b"\0" + digest)
    signed = client.signed_hash(project, 1, digest)
    assert signed == submission_hash(client.chain_id, client.address, project, 1, digest)

    found = events.fetch(client, events.MARKET_EVENTS, project=project, from_block=start)
    kinds = [type(event).__name__ for event in found]
    assert kinds == [
        "ProjectCreated",
        *["TrainerJoined"] * 5,
        "AggregatorJoined",
        "ProjectStarted",
        "RoundOpened",
        "UpdateSubmitted",
    ]
    joined = events.fetch(client, [events.TrainerJoined], project=project)
    assert [(event.number, event.trainer, event.encryption_key) for event in joined] == [
        (slot, trainer.address, bytes([slot]) * 32) for slot, trainer in enumerate(trainers)
    ]
    (submitted,) = events.fetch(client, [events.UpdateSubmitted], project=project, round=1)
    assert (submitted.cohort, submitted.slot, submitted.digest) == (0, 0, digest)
    assert (submitted.trainer, submitted.blob) == (trainers[0].address, b"b" * 32)
    assert not events.fetch(client, [events.UpdateSubmitted], project=project, round=2)
    assert not events.fetch(client, [events.TrainerJoined], project=project, to_block=start)
    locked = events.fetch(client, [events.Deposited, events.Locked], from_block=start)
    assert [type(event).__name__ for event in locked] == ["Deposited", "Locked"] * 6
    assert all(found[i].block_number <= found[i + 1].block_number for i in range(len(found) - 1))
    # A view of an older block shows the older state.
    assert client.cohort(project, 0, block=submitted.block_number - 1).submitted == 0


def test_filters_that_make_no_sense(client: MarketClient) -> None:
    with pytest.raises(ValueError, match="Locked is not indexed by project"):
        events.fetch(client, [events.Locked], project=1)
    with pytest.raises(ValueError, match="TrainerJoined is not indexed by round"):
        events.fetch(client, [events.TrainerJoined], project=1, round=1)


def test_ranges_shrink_to_what_the_endpoint_serves(
    anvil: Anvil, client: MarketClient, deployment: Deployment, proxies: Callable[..., str]
) -> None:
    client.web3.provider.make_request("anvil_mine", ["0x40"])  # type: ignore[arg-type]
    asked: list[int] = []

    def refuse_wide_ranges(method: str, parameters: list[Any]) -> dict[str, Any] | None:
        if method != "eth_getLogs":
            return None
        asked.append(int(parameters[0]["toBlock"], 16) - int(parameters[0]["fromBlock"], 16) + 1)
        return {"error": {"code": -32005, "message": "too many blocks"}} if asked[-1] > 16 else None

    narrow = deployment.client(proxies(anvil.url, refuse_wide_ranges))
    kinds = events.MARKET_EVENTS
    assert events.fetch(narrow, kinds) == events.fetch(client, kinds)
    assert max(asked) > 16
    served = sum(width for width in asked if width <= 16)
    assert served == client.latest_block().number + 1 - deployment.block  # none that is older
    assert client.from_block == deployment.block > 0


# As Infura, Alchemy and QuickNode have it, and who says nothing.
TOO_MANY: dict[str, dict[str, Any]] = {
    "code": {"error": {"code": -32005, "message": "query returned more than 10000 results"}},
    "400": {"status": 400, "error": {"code": -32600, "message": "requests with up to a 10 block range"}},
    "413": {"status": 413, "error": {"code": -32602, "message": "limited to a 10,000 blocks range"}},
    "413 alone": {"status": 413, "raw": b"<html>Request Entity Too Large</html>"},
}


@pytest.mark.parametrize("endpoints", [1, 2])
@pytest.mark.parametrize("said", TOO_MANY)
def test_ranges_shrink_however_it_is_said_that_they_are_too_wide(
    anvil: Anvil,
    client: MarketClient,
    deployment: Deployment,
    proxies: Callable[..., str],
    said: str,
    endpoints: int,
) -> None:
    client.web3.provider.make_request("anvil_mine", ["0x40"])  # type: ignore[arg-type]

    def refuse_many_logs(method: str, parameters: list[Any]) -> dict[str, Any] | None:
        if method != "eth_getLogs":
            return None
        width = int(parameters[0]["toBlock"], 16) - int(parameters[0]["fromBlock"], 16) + 1
        return dict(TOO_MANY[said]) if width > 16 else None

    urls = [proxies(anvil.url, refuse_many_logs) for _ in range(endpoints)]
    several = MarketClient(urls, deployment.market, from_block=deployment.block, retry_for_s=1.0).connect()
    assert events.fetch(several, events.MARKET_EVENTS) == events.fetch(client, events.MARKET_EVENTS)
    assert several.rpc_url == urls[0]


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_status_that_says_nothing_of_a_range_is_the_endpoints(
    anvil: Anvil, deployment: Deployment, proxies: Callable[..., str], status: int
) -> None:
    def refuse(method: str, parameters: list[Any]) -> dict[str, Any] | None:
        return {"status": status, "raw": b"<html>no</html>"} if method == "eth_getLogs" else None

    client = deployment.client(proxies(anvil.url, refuse))
    with pytest.raises(FairshareError, match=f"HTTP status {status}") as caught:
        events.fetch(client, [events.TrainerJoined])
    assert caught.value.reason is Reason.CHAIN_UNREACHABLE


def test_an_endpoint_that_refuses_all_logs(
    anvil: Anvil, deployment: Deployment, proxies: Callable[..., str]
) -> None:
    def refuse(method: str, parameters: list[Any]) -> dict[str, Any] | None:
        return {"error": {"code": -32005, "message": "no logs"}} if method == "eth_getLogs" else None

    client = deployment.client(proxies(anvil.url, refuse))
    with pytest.raises(FairshareError, match="no logs") as caught:
        events.fetch(client, [events.TrainerJoined])
    assert caught.value.reason is Reason.CHAIN_UNREACHABLE


def test_logs_nobody_asked_for(
    anvil: Anvil, client: MarketClient, deployment: Deployment, proxies: Callable[..., str]
) -> None:
    def invent(method: str, parameters: list[Any]) -> dict[str, Any] | None:
        if method != "eth_getLogs":
            return None
        log = {
            "address": deployment.vault,
            "topics": parameters[0]["topics"][0][:1],
            "data": "0x",
            "blockNumber": "0x1",
            "blockHash": "0x" + "00" * 32,
            "transactionHash": "0x" + "00" * 32,
            "transactionIndex": "0x0",
            "logIndex": "0x0",
            "removed": False,
        }
        return {"result": [log | changes]}

    liar = deployment.client(proxies(anvil.url, invent))
    for change in ({}, {"address": deployment.market}, {"topics": []}):
        changes: dict[str, Any] = change
        with pytest.raises(FairshareError) as caught:
            events.fetch(liar, [events.TrainerJoined])
        assert caught.value.reason is Reason.INTEGRITY


def test_a_result_is_read_back_from_calldata(client: MarketClient) -> None:
    call = client.market.encode_abi("postResult", [12, A_RESULT.to_abi()])
    data = bytes.fromhex(call.removeprefix("0x"))
    assert events.decode_result_calldata(data) == A_RESULT
    assert events.decode_result_call(data).project == 12
    other = client.market.encode_abi("join", [12, bytes(32)])
    for wrong in (
        b"",
        data[:4],
        data[:-64],
        bytes.fromhex(other.removeprefix("0x")),
        b"\x01\x02\x03\x04" + data[4:],
    ):
        with pytest.raises(FairshareError) as caught:
            events.decode_result_calldata(wrong)
        assert caught.value.reason is Reason.INTEGRITY


def test_refusals_come_before_anything_is_written(
    anvil: Anvil, client: MarketClient, terms: Terms, senders: Callable[..., TransactionSender]
) -> None:
    owner = senders(anvil, 11)
    cases = {
        Reason.BAD_INPUT: create_call(client, replace(terms, rounds=0)),
        Reason.NOT_FOUND: client.market.functions.join(10**6, bytes(32)),
        Reason.REFUSED: client.market.functions.claim(1, owner.address),
    }
    nonce = client.web3.eth.get_transaction_count(client.web3.to_checksum_address(owner.address))
    for reason, call in cases.items():
        with pytest.raises(FairshareError) as caught:
            owner.send("refused", call)
        assert caught.value.reason is reason
    project = post_project(client, owner, terms)
    with pytest.raises(FairshareError, match="insufficient free") as caught:
        owner.send("join", client.market.functions.join(project, bytes(32)))
    assert caught.value.reason is Reason.NO_FUNDS
    after = client.web3.eth.get_transaction_count(client.web3.to_checksum_address(owner.address))
    assert after == nonce + 1


def test_the_native_coin_as_a_token(client: MarketClient, anvil: Anvil) -> None:
    account = address("0x" + "77" * 20)
    assert token.balance(client.web3, NATIVE_COIN, account) == 0
    assert token.decimals(client.web3, NATIVE_COIN) == 18
    with pytest.raises(ValueError, match="no allowances"):
        token.approve(client.web3, NATIVE_COIN, account, 1)
    with pytest.raises(FairshareError) as caught:
        token.balance(client.web3, account, account)
    assert caught.value.reason is Reason.NO_CONTRACT


def test_every_kind_of_field_is_decoded(client: MarketClient) -> None:
    def log_of(kind: type[events.Event], indexed: list[int], types: list[str], values: list[Any]) -> Any:
        signature = abi_entry(kind.contract, "event", kind.__name__)
        topics = [event_abi_to_log_topic(signature), *(value.to_bytes(32, "big") for value in indexed)]  # type: ignore[arg-type]
        return {
            "address": client.address,
            "topics": [HexBytes(topic) for topic in topics],
            "data": HexBytes(encode(types, values)),
            "blockNumber": 3,
            "blockHash": HexBytes(bytes(32)),
            "transactionHash": HexBytes(b"t" * 32),
            "transactionIndex": 0,
            "logIndex": 1,
        }

    who = address("0x" + "ab" * 20)
    numbers = ["uint256"] * 7
    posted = log_of(
        events.ResultPosted,
        [7, 2, int(who, 16)],
        [*numbers, "bytes32", "uint256", "uint256", "uint96[]"],
        [0, 31, 15, 16, 5, 100, 6, b"m" * 32, 1, 2, [3, 0, 4]],
    )
    assert events.decode_log(events.MARKET_EVENTS, posted) == events.ResultPosted(
        3, b"t" * 32, 1, 7, 2, who, 0, 31, 15, 16, 5, 100, 6, b"m" * 32, 1, 2, (3, 0, 4)
    )
    challenged = log_of(events.Challenged, [7, 2, int(who, 16)], ["uint8", "uint256", "uint256"], [2, 1, 9])
    decoded = events.decode_log([events.Challenged], challenged)
    assert isinstance(decoded, events.Challenged)
    assert decoded.kind is ChallengeKind.PROOF
    ended = log_of(events.ProjectEnded, [7], ["uint8", "uint256"], [5, 1])
    assert events.decode_log([events.ProjectEnded], ended) == events.ProjectEnded(
        3, b"t" * 32, 1, 7, Status.SETTLED, 1
    )
    moved = log_of(events.Transferred, [0, int(who, 16), 5], ["uint256"], [9])
    transferred = events.decode_log(events.VAULT_EVENTS, moved)
    assert isinstance(transferred, events.Transferred)
    assert (transferred.from_, transferred.amount) == (who, 9)
    unheard = log_of(events.Challenged, [7, 2, int(who, 16)], ["uint8", "uint256", "uint256"], [77, 1, 9])
    with pytest.raises(FairshareError) as caught:
        events.decode_log([events.Challenged], unheard)
    assert caught.value.reason is Reason.INTEGRITY
