"""What a client asks its endpoint: each request by its method, or by the market's view that it calls."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from web3.providers.base import JSONBaseProvider

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.contracts import MARKET, interface_abi
from marketplace.chain.views import view_of

Asked = str | tuple[str, ...]


class CountingProvider(JSONBaseProvider):
    """Passes everything on to the provider that `client` had."""

    def __init__(self, client: ChainClient) -> None:
        super().__init__()
        self._asked: list[Asked] = []
        self.log_ranges: list[tuple[int, int]] = []  # first and last block of each request for logs
        self._inner: Any = client.web3.provider
        client.web3.provider = self

    def make_request(self, method: Any, params: Any) -> Any:
        self._asked.append(_named(method, params))
        if method == "eth_getLogs":
            self.log_ranges.append((int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)))
        return self._inner.make_request(method, params)

    def make_batch_request(self, requests: Any) -> Any:
        self._asked.append(tuple(_named(method, params) for method, params in requests))
        return self._inner.make_batch_request(requests)

    def taken(self) -> list[Asked]:
        """What was asked since the last call."""
        asked, self._asked = self._asked, []
        self.log_ranges = []
        return asked


def _named(method: str, params: Any) -> str:
    return _market_views().get(params[0]["data"][:10], method) if method == "eth_call" else method


@functools.cache
def _market_views() -> Mapping[str, str]:
    """By selector, in hex."""
    functions = [entry for entry in interface_abi(MARKET) if entry["type"] == "function"]
    return {"0x" + view_of(entry).selector.hex(): entry["name"] for entry in functions}
