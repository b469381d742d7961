"""Mined transactions that a reorganisation takes away: broadcast again, never made twice."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from web3.contract import Contract

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.compile import compile_source
from marketplace.chain.sender import TransactionSender
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.node.journal import Journal
from tests.support.counted_requests import CountingProvider
from tests.support.reorganised import mine, reorganise
from tests.support.waiting import until

CONFIRMATIONS = 5
TALLY = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;
contract Tally {
    uint256 public count;
    error Another(uint256 count);
    function add(uint256 expected) external { if (count != expected) revert Another(count); ++count; }
}"""

Maker = Callable[..., TransactionSender]


@pytest.fixture
def make(fresh_anvil: Anvil, tmp_path: Path) -> Any:
    """Makes senders with journals of their own; the same account and name go on with the same journal."""
    opened: list[Any] = []

    def sender(account: int, name: str = "journal", **options: Any) -> TransactionSender:
        journal = Journal(tmp_path / f"{name}-{account}.sqlite")
        made = TransactionSender(
            ChainClient(
                fresh_anvil.url, confirmations=CONFIRMATIONS, say=options.pop("say", lambda text: None)
            ),
            public_account(account),
            journal,
            lock_directory=tmp_path / "locks",
            poll_s=0.02,
            **options,
        )
        opened.extend([made, journal])
        return made

    yield sender
    for each in opened:
        each.close()


def tally(sender: TransactionSender) -> Contract:
    artifact = compile_source("Tally", TALLY)
    web3 = sender.client.web3
    receipt = sender.send(
        "deploy tally", web3.eth.contract(abi=list(artifact.abi), bytecode=artifact.bytecode).constructor()
    )
    mine(sender.client, CONFIRMATIONS)
    return web3.eth.contract(web3.to_checksum_address(str(receipt.contract_address)), abi=list(artifact.abi))


def test_what_vanished_is_broadcast_again_and_happens_once(make: Maker) -> None:
    said: list[str] = []
    contract = tally(make(0))
    sender = make(1, say=said.append)
    receipts = [sender.send(f"add {number}", contract.functions.add(number)) for number in range(2)]
    mine(sender.client)
    assert not sender.is_settled
    reorganise(sender.client, 3)
    assert contract.functions.count().call() == 0
    sender.look_back()
    assert contract.functions.count().call() == 2
    assert len(said) == 2
    for number, before in enumerate(receipts):
        again = sender.send(f"add {number}", contract.functions.add(number))
        assert again.transaction_hash == before.transaction_hash  # the very same
    assert contract.functions.count().call() == 2


def test_a_restarted_process_broadcasts_it_too(make: Maker) -> None:
    contract = tally(make(0))
    first = make(1)
    first.send("add", contract.functions.add(0))
    first.close()
    reorganise(first.client, 1)
    again = make(1)
    again.look_back()
    assert contract.functions.count().call() == 1
    assert not again.is_settled
    mine(again.client, CONFIRMATIONS)
    again.look_back()
    assert again.is_settled


def test_what_is_final_is_asked_about_no_more(make: Maker) -> None:
    contract = tally(make(0))
    sender = make(1)
    sender.send("add", contract.functions.add(0))
    mine(sender.client, CONFIRMATIONS - 1)
    sender.look_back()
    assert not sender.is_settled
    mine(sender.client)
    sender.look_back()
    assert sender.is_settled
    mine(sender.client)
    counted = CountingProvider(sender.client)
    sender.look_back()
    assert not counted.taken()


def test_the_same_nonce_with_what_must_be_said_now(make: Maker) -> None:
    """After the reorganisation another was first, so that the same bytes would fail: the nonce takes a new call."""
    contract = tally(make(0))
    sender, rival = make(1), make(2)
    before = sender.send("add", contract.functions.add(0))
    reorganise(sender.client, 1)
    rival.send("rival", contract.functions.add(0))
    after = sender.send("add", contract.functions.add(1))
    eth = sender.client.web3.eth
    assert after.transaction_hash != before.transaction_hash
    assert eth.get_transaction("0x" + after.transaction_hash.hex())["nonce"] == 0  # type: ignore[arg-type]
    assert contract.functions.count().call() == 2
    sender.look_back()
    mine(sender.client, CONFIRMATIONS)
    sender.look_back()
    assert sender.is_settled
    assert contract.functions.count().call() == 2


def test_what_vanished_goes_before_what_is_new(make: Maker) -> None:
    contract = tally(make(0))
    sender = make(1)
    sender.send("old", contract.functions.add(0))
    reorganise(sender.client, 1)
    sender.send("new", contract.functions.add(1))
    assert contract.functions.count().call() == 2


@pytest.mark.deep
def test_a_nonce_that_another_took_meanwhile(make: Maker) -> None:
    contract = tally(make(0))
    said: list[str] = []
    sender = make(1, say=said.append)
    sender.send("add", contract.functions.add(0))
    reorganise(sender.client, 1)
    other = make(1, "another-journal")  # as a wallet would, with the same key
    sender.close()
    other.send("other", contract.functions.add(0))
    other.close()
    sender.look_back()
    assert "used by another" in said[-1]
    assert sender.is_settled
    sender.send("add", contract.functions.add(1))
    assert contract.functions.count().call() == 2


def test_who_waits_until_it_is_final_gets_the_receipt_it_has_then(make: Maker) -> None:
    contract = tally(make(0))
    sender, watcher = make(1), ChainClient(make(2).client.rpc_url)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(sender.send, "add", contract.functions.add(0), final=True)
        until(lambda: contract.functions.count().call() == 1)
        reorganise(watcher, 1)
        until(lambda: contract.functions.count().call() == 1)
        assert not sending.done()
        mine(watcher, CONFIRMATIONS)
        receipt = sending.result(timeout=30)
    assert watcher.web3.eth.get_transaction_receipt("0x" + receipt.transaction_hash.hex())["blockNumber"] == (  # type: ignore[arg-type]
        receipt.block_number
    )
    assert contract.functions.count().call() == 1
