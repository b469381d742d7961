"""Reorganisations of a local chain: anvil takes the newest blocks away, with all that was in them."""

from __future__ import annotations

from typing import Any

from web3.types import RPCEndpoint

from marketplace.chain.chain_client import ChainClient


def reorganise(client: ChainClient, depth: int) -> None:
    """As many empty blocks in place of the newest `depth`."""
    before = client.latest_block()
    _ask(client, "anvil_reorg", depth, [])
    after = client.latest_block()
    assert after.number == before.number
    assert after.hash != before.hash


def mine(client: ChainClient, blocks: int = 1) -> None:
    """Empty blocks."""
    _ask(client, "anvil_mine", hex(blocks))


def _ask(client: ChainClient, method: str, *parameters: Any) -> Any:
    answer = client.web3.provider.make_request(RPCEndpoint(method), list(parameters))
    assert "error" not in answer, answer
    return answer.get("result")
