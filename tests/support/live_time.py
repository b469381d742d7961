"""The time of a live market: it passes as fast as its nodes do what there is to do, and never slower than the world's.

Deadlines are block timestamps, and a node looks at the chain once a block. So nothing is waited for that only
time brings, and the windows of a project may be wide enough for a busy machine.
"""

from __future__ import annotations

from collections.abc import Iterable

from web3 import Web3
from web3.types import RPCEndpoint

from marketplace.chain.types import Block
from marketplace.node.clock import ChainClock

STRIDE_S = 2  # well below every window, so that nothing that must happen within one is jumped over


class RestingClock(ChainClock):
    """A node's clock that says whether the node has done all that the newest block called for."""

    _resting = False

    def wait_for_block(self, timeout_s: float | None = None) -> Block | None:
        """As `ChainClock`; the node rests meanwhile."""
        self._resting = True
        try:
            return super().wait_for_block(timeout_s)
        finally:
            self._resting = False

    def rests_at(self, block: int) -> bool:
        """Whether the node, having looked at this block, waits for another."""
        return self._resting and self._seen == block


def pass_time(web3: Web3, clocks: Iterable[RestingClock]) -> bool:
    """A block for the transactions that wait; or, where every node rests, one some time later. False: neither."""
    if web3.eth.get_block_transaction_count("pending"):
        _mine(web3)
        return True
    newest = web3.eth.block_number
    resting = [clock.rests_at(newest) for clock in clocks]
    if not resting or not all(resting):
        return False
    web3.manager.request_blocking(RPCEndpoint("evm_increaseTime"), [STRIDE_S])
    _mine(web3)
    return True


def pass_until(web3: Web3, timestamp: int) -> None:
    """A block of this time, if it is still to come."""
    left = timestamp - web3.eth.get_block("latest")["timestamp"]
    if left > 0:
        web3.manager.request_blocking(RPCEndpoint("evm_increaseTime"), [left])
        _mine(web3)


def _mine(web3: Web3) -> None:
    web3.manager.request_blocking(RPCEndpoint("evm_mine"), [])
