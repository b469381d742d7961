"""A look at a block asks each view once, from the second one on all of them at once."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from marketplace.chain.client import MarketClient
from marketplace.chain.looks import Habit
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import NATIVE_COIN, Block, address
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.errors import FairshareError, Reason
from marketplace.node.reorganisation import on_chain
from tests.support.counted_requests import CountingProvider
from tests.support.reorganised import mine, reorganise

NOBODY = address("0x" + "12" * 20)
NONE_SUCH = 10**6  # a project


def read(client: MarketClient, block: Block) -> None:
    for _ in range(2):
        client.challenge(NONE_SUCH, block=block.number)
        client.membership(NONE_SUCH, NOBODY, block=block.number)
        client.cohort(NONE_SUCH, 0, block=block.number)


def test_each_view_is_asked_once_and_then_all_at_once(client: MarketClient) -> None:
    habit, counted = Habit(), CountingProvider(client)
    block = client.latest_block()
    counted.taken()
    with client.looking(block, habit):
        read(client, block)
    usual = ["challengeOf", "membershipOf", "cohortOf"]
    assert counted.taken() == usual
    with client.looking(block, habit):
        assert client.looked_at == block.number
        read(client, block)
        assert counted.taken() == [tuple(usual)]
        client.cohort(NONE_SUCH, 1, block=block.number)
        client.cohort(NONE_SUCH, 1, block=block.number)
        assert counted.taken() == ["cohortOf"]
    with client.looking(block, habit):
        client.challenge(NONE_SUCH, block=block.number)
    assert counted.taken() == [(*usual, "cohortOf")]
    with client.looking(block, habit):  # what was not read the last time is not asked for
        client.challenge(NONE_SUCH, block=block.number)
    assert counted.taken() == ["challengeOf"]
    assert client.looked_at == "latest"
    read(client, block)
    assert counted.taken() == usual * 2


def test_other_blocks_headers_and_other_threads_are_not_remembered(client: MarketClient) -> None:
    mine(client)
    block = client.latest_block()
    counted = CountingProvider(client)
    with client.looking(block, Habit()):
        for _ in range(2):
            client.challenge(NONE_SUCH)
            client.challenge(NONE_SUCH, block=block.number - 1)
            client.block(block.number)
        assert len(counted.taken()) == 6
        client.challenge(NONE_SUCH, block=block.number)
        threads = [threading.Thread(target=read, args=(client, block)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(counted.taken()) == 13


def test_what_fails_is_asked_again(client: MarketClient, monkeypatch: pytest.MonkeyPatch) -> None:
    block, habit = client.latest_block(), Habit()
    with client.looking(block, habit):
        read(client, block)
    provider = client.web3.provider
    busy = {"jsonrpc": "2.0", "id": 0, "error": {"code": -32005, "message": "limit exceeded"}}
    with client.looking(block, habit):
        with monkeypatch.context() as failing:
            failing.setattr(provider, "make_request", lambda method, params: dict(busy))
            failing.setattr(provider, "make_batch_request", lambda requests: [dict(busy) for _ in requests])
            with pytest.raises(FairshareError) as caught:
                client.challenge(NONE_SUCH, block=block.number)
            assert caught.value.reason is Reason.CHAIN_UNREACHABLE
        assert client.challenge(NONE_SUCH, block=block.number).round == 0


def test_a_look_remembers_nothing_of_a_block_that_had_its_number(
    anvil: Anvil, client: MarketClient, senders: Callable[..., TransactionSender]
) -> None:
    account = address(public_account(17).address)
    senders(anvil, 17).send("deposit", client.vault.deposit(NATIVE_COIN, 5), 5)
    before, habit = client.latest_block(), Habit()
    with client.looking(before, habit):
        assert client.vault.free(NATIVE_COIN, account, block=before.number) == 5
        reorganise(client, 1)
        assert client.vault.free(NATIVE_COIN, account, block=before.number) == 5
        assert not on_chain(client, before)
    after = client.latest_block()
    assert (after.number, after.hash != before.hash) == (before.number, True)
    with client.looking(after, habit):
        assert client.vault.free(NATIVE_COIN, account, block=after.number) == 0
        assert on_chain(client, after)
