"""Brownie's transactions, answered when they are in a block.

Brownie looks for a transaction's receipt as soon as the chain has its hash, and sleeps for a second where there is none
yet. On a machine that has other things to do that is nearly always, and a test takes twenty times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from web3.middleware import Web3Middleware


class MinedAtOnce(Web3Middleware):
    """Sends with anvil's method that waits for the receipt."""

    def wrap_make_request(self, make_request: Callable[..., Any]) -> Callable[..., Any]:
        def made(method: str, parameters: Any) -> Any:
            if method != "eth_sendTransaction":
                return make_request(method, parameters)
            answer = make_request("eth_sendTransactionSync", parameters)
            if "error" in answer:
                return answer
            return answer | {"result": answer["result"]["transactionHash"]}

        return made
