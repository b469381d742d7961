"""Reorganisations of a local chain: anvil takes the newest blocks away, with all that was in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from web3.types import RPCEndpoint

from marketplace.chain.chain_client import ChainClient


def reorganise(client: ChainClient, depth: int, kept: Sequence[str] = ()) -> None:
    """As many blocks in place of the newest `depth`: the first with the raw transactions `kept`, the others empty."""
    assert has_reorganised(client, depth, kept), "the same blocks once more"


def has_reorganised(client: ChainClient, depth: int, kept: Sequence[str] = ()) -> bool:
    """As `reorganise`; False where all that was kept was in the first block before, so that the blocks are the same."""
    before = client.latest_block()
    _ask(client, "anvil_reorg", depth, [[raw, 0] for raw in kept])
    after = client.latest_block()
    assert after.number == before.number
    return after.hash != before.hash


def transactions_in(client: ChainClient, depth: int) -> list[tuple[str, str]]:
    """Sender and raw bytes, in hex, of each transaction in the newest `depth` blocks, in the order of the chain."""
    head = client.latest_block().number
    found = []
    for number in range(max(0, head - depth + 1), head + 1):
        for each in _ask(client, "eth_getBlockByNumber", hex(number), True)["transactions"]:
            found.append((each["from"], _ask(client, "eth_getRawTransactionByHash", each["hash"])))
    return found


def mine(client: ChainClient, blocks: int = 1, apart_s: int = 0) -> None:
    """Empty blocks; `apart_s`: of block time, 0 for as anvil has it."""
    _ask(client, "anvil_mine", hex(blocks), *([hex(apart_s)] if apart_s else []))


def _ask(client: ChainClient, method: str, *parameters: Any) -> Any:
    answer = client.web3.provider.make_request(RPCEndpoint(method), list(parameters))
    assert "error" not in answer, answer
    return answer.get("result")
