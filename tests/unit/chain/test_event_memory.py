"""What a client remembers of a project's events is what the chain has, and spares requests."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from eth_utils.crypto import keccak
from web3.types import RPCEndpoint

from marketplace.chain import memory
from marketplace.chain.client import MarketClient
from marketplace.chain.deployment import Deployment
from marketplace.chain.events import (
    MARKET_EVENTS,
    Event,
    ProjectCreated,
    TrainerJoined,
    UpdateSubmitted,
    fetch,
)
from marketplace.chain.events import project as events_of_project
from marketplace.chain.looks import Habit
from marketplace.chain.types import NATIVE_COIN, NO_PERMIT, Terms
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.node.lagging import lagging
from tests.support.counted_requests import CountingProvider
from tests.support.reorganised import has_reorganised, mine

CONFIRMATIONS = 4
DEEP = 5 * CONFIRMATIONS  # blocks, after which an event is remembered


@pytest.fixture
def project(anvil: Anvil, deployment: Deployment, terms: Terms) -> int:
    """One that anybody may join, posted for good."""
    client = deployment.client(anvil.url).connect()
    posted = replace(terms, trainers=250)
    _post(client, posted)
    mine(client, DEEP)
    return client.project_count()


def _post(client: MarketClient, terms: Terms) -> None:
    call = client.market.functions.create(terms.to_abi(), NO_PERMIT.to_abi())
    sent = call.transact({"from": public_account(1).address, "value": terms.reward})  # type: ignore[typeddict-item]
    assert client.web3.eth.wait_for_transaction_receipt(sent)["status"]


@pytest.fixture
def remembering(anvil: Anvil, deployment: Deployment) -> MarketClient:
    """As on a public chain."""
    return deployment.client(anvil.url, confirmations=CONFIRMATIONS).connect()


class Joining:
    """Trainers nobody has seen before, each joins once."""

    def __init__(self, client: MarketClient, project: int) -> None:
        self._client, self._project, self._next = client, project, 1

    def __call__(self) -> None:
        client, who = self._client, Account.from_key(keccak(text=f"{self._project}:{self._next}"))
        self._next += 1
        eth, stake = client.web3.eth, client.terms(self._project).trainer_stake
        client.web3.provider.make_request(RPCEndpoint("anvil_setBalance"), [who.address, hex(10**18)])
        deposit = client.vault.contract.functions.deposit(NATIVE_COIN, stake)
        join = client.market.functions.join(self._project, bytes(31) + b"\1")
        for nonce, (call, value) in enumerate(((deposit, stake), (join, 0))):
            sent: Any = {"from": who.address, "nonce": nonce, "value": value, "gas": 500_000}
            signed = who.sign_transaction(call.build_transaction(sent))
            assert eth.wait_for_transaction_receipt(eth.send_raw_transaction(signed.raw_transaction))[
                "status"
            ]


def truth(client: MarketClient, kinds: Sequence[type[Event]], project: int, last: int) -> list[Event]:
    """As an endpoint has it."""
    return fetch(client, kinds, project, from_block=client.from_block + 1, to_block=last)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_to_the_chain_it_is_what_the_chain_has(
    remembering: MarketClient, project: int, seed: int
) -> None:
    client, chance, join = remembering, random.Random(seed), Joining(remembering, project)
    reorganised = 0
    for _ in range(60):
        match chance.choice("jjmmrf"):
            case "j":
                join()
            case "m":
                mine(client, chance.randint(1, 12))
            case "r":
                reorganised += has_reorganised(client, chance.randint(1, CONFIRMATIONS))
            case "f":
                kinds = chance.choice([[TrainerJoined], [ProjectCreated, TrainerJoined], MARKET_EVENTS])
                head = client.latest_block().number
                last = chance.choice([head, head - chance.randint(0, 2 * DEEP)])
                assert fetch(client, kinds, project, to_block=last) == truth(client, kinds, project, last)
    assert reorganised
    assert fetch(client, [TrainerJoined], project)
    past = client.memory.recall(project)
    assert past is not None
    assert past.events, "something of it was remembered"


def test_what_is_deep_is_asked_for_once(remembering: MarketClient, project: int) -> None:
    Joining(remembering, project)()
    mine(remembering, DEEP)
    asked = CountingProvider(remembering)
    assert len(fetch(remembering, [TrainerJoined], project)) == 1
    asked.taken()
    assert len(fetch(remembering, [TrainerJoined], project)) == 1
    assert fetch(remembering, [UpdateSubmitted], project, 1) == []
    ranges = asked.log_ranges
    head = remembering.latest_block().number
    assert len(ranges) == 2
    assert all(head - DEEP < first <= last == head for first, last in ranges)
    asked.taken()
    assert fetch(remembering, [ProjectCreated], project, to_block=head - DEEP)
    assert not asked.taken(), "it is all known"


def test_in_a_look_it_is_asked_for_once(remembering: MarketClient, project: int) -> None:
    block, asked = remembering.latest_block(), CountingProvider(remembering)
    with remembering.looking(block, Habit()):
        for kinds in ([TrainerJoined], [ProjectCreated], MARKET_EVENTS):
            found = fetch(remembering, kinds, project, to_block=block.number)
            assert len(found) == (0 if kinds == [TrainerJoined] else 1)
    assert asked.taken() == ["eth_getLogs"]


def test_an_old_market_s_blocks_before_the_project_are_not_asked_for(
    terms: Terms, remembering: MarketClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_of_project, "FIRST_SPAN", 100)
    mine(remembering, 400, apart_s=1)
    _post(remembering, terms)
    posted, project = remembering.latest_block().number, remembering.project_count()
    asked = CountingProvider(remembering)
    (created,) = fetch(remembering, [ProjectCreated], project)
    ((first, last),), requests = asked.log_ranges, asked.taken()
    assert created.block_number == posted
    assert (posted - DEEP < first <= posted, last) == (True, posted)
    assert len(requests) < 26
    assert fetch(remembering, [ProjectCreated], project)
    assert asked.taken() == ["eth_getBlockByNumber", "eth_getLogs"], "where it begins is found once"


@pytest.mark.parametrize("passes", ["told", "time"])
def test_what_an_endpoint_left_out_is_not_missed_for_ever(
    remembering: MarketClient, project: int, monkeypatch: pytest.MonkeyPatch, passes: str
) -> None:
    Joining(remembering, project)()
    mine(remembering, DEEP)
    ask: Callable[..., Any] = remembering.web3.provider.make_request

    def lags(method: RPCEndpoint, params: Any) -> Any:
        answer = ask(method, params)
        return answer | {"result": []} if method == "eth_getLogs" else answer

    with monkeypatch.context() as lagging_endpoint:
        lagging_endpoint.setattr(remembering.web3.provider, "make_request", lags)
        assert fetch(remembering, [TrainerJoined], project) == []
    assert fetch(remembering, [TrainerJoined], project) == [], "which is why there is a way out"
    if passes == "told":
        lagging(remembering, "the endpoint's events are not those of its state")
    else:
        monkeypatch.setattr(memory, "KEPT_S", -1.0)
    assert len(fetch(remembering, [TrainerJoined], project)) == 1


def test_projects_that_nobody_asked_for_lately_are_forgotten() -> None:
    kept = memory.EventMemory()
    for project in range(1, memory.MOST_PROJECTS + 1):
        kept.keep(project, memory.Past(project, ()), None)
    assert kept.recall(1) == memory.Past(1, ())
    kept.keep(memory.MOST_PROJECTS + 1, memory.Past(0, ()), None)
    assert kept.recall(2) is None
    assert kept.recall(1) == memory.Past(1, ())


def test_what_another_thread_has_read_meanwhile_stays() -> None:
    kept = memory.EventMemory()
    first, second, third = (memory.Past(through, ()) for through in (1, 2, 3))
    kept.keep(7, first, None)
    kept.keep(7, third, first)
    kept.keep(7, second, first)
    assert kept.recall(7) is third
