"""What a node has seen in a block counts for as long as the block is on the chain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from marketplace.chain.chain_client import ChainClient
from marketplace.devnet.anvil import Anvil
from marketplace.node.clock import ChainClock
from marketplace.node.journal import Journal
from marketplace.node.reorganisation import is_seen, on_chain, see
from tests.support.reorganised import mine, reorganise

CONFIRMATIONS = 3


@pytest.fixture(scope="module")
def chain() -> Iterator[Anvil]:
    with Anvil(accounts=1) as running:
        yield running


@pytest.fixture
def node(chain: Anvil, tmp_path: Path) -> Iterator[Any]:
    """Of a daemon what `see` takes."""
    client = ChainClient(chain.url, confirmations=CONFIRMATIONS)
    mine(client, 5)
    with Journal(tmp_path / "journal.sqlite") as journal:
        yield SimpleNamespace(context=SimpleNamespace(client=client, project=7), journal=journal)


def test_seen_until_its_block_vanishes(node: Any) -> None:
    client = node.context.client
    assert not is_seen(node, 1, "model", client.latest_block())
    see(node, 1, "model", client.latest_block())
    mine(client)
    assert is_seen(node, 1, "model", client.latest_block())
    assert not is_seen(node, 2, "model", client.latest_block())
    reorganise(client, 2)
    assert not is_seen(node, 1, "model", client.latest_block())
    see(node, 1, "model", client.latest_block())
    assert is_seen(node, 1, "model", client.latest_block())


def test_a_reorganisation_above_it_changes_nothing(node: Any) -> None:
    client = node.context.client
    see(node, 1, "model", client.latest_block())
    mine(client, 2)
    reorganise(client, 2)
    assert is_seen(node, 1, "model", client.latest_block())


def test_what_is_deep_enough_is_not_looked_up(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = node.context.client
    see(node, 1, "model", client.latest_block())
    mine(client, CONFIRMATIONS)
    head = client.latest_block()
    monkeypatch.setattr(client, "block", lambda number: pytest.fail("it is final"))
    assert is_seen(node, 1, "model", head)


def test_what_older_journals_say_is_final(node: Any) -> None:
    node.journal.put(7, 1, "model", True)
    assert is_seen(node, 1, "model", node.context.client.latest_block())


def test_a_block_that_the_chain_has_not_got(node: Any) -> None:
    client = node.context.client
    head = client.latest_block()
    assert on_chain(client, head)
    client.web3.provider.make_request("anvil_rollback", [1])
    assert not on_chain(client, head)
    mine(client)


def test_a_clock_tells_of_another_block_of_the_same_number(node: Any) -> None:
    client = node.context.client
    with ChainClock(client, poll_s=0.02) as clock:
        first = clock.wait_for_block()
        assert clock.wait_for_block(timeout_s=0.1) is None
        reorganise(client, 1)
        second = clock.wait_for_block(timeout_s=5)
        assert first is not None
        assert second is not None
        assert (second.number, second.hash != first.hash) == (first.number, True)
