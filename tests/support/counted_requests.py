"""What a client asks its endpoint: each request by its method, a batch by the methods in it."""

from __future__ import annotations

from typing import Any

from web3.providers.base import JSONBaseProvider

from marketplace.chain.chain_client import ChainClient

Asked = str | tuple[str, ...]


class CountingProvider(JSONBaseProvider):
    """Passes everything on to the provider that `client` had."""

    def __init__(self, client: ChainClient) -> None:
        super().__init__()
        self.asked: list[Asked] = []
        self._inner: Any = client.web3.provider
        client.web3.provider = self

    def make_request(self, method: Any, params: Any) -> Any:
        self.asked.append(str(method))
        return self._inner.make_request(method, params)

    def make_batch_request(self, requests: Any) -> Any:
        self.asked.append(tuple(str(method) for method, _ in requests))
        return self._inner.make_batch_request(requests)

    def taken(self) -> list[Asked]:
        """What was asked since the last call."""
        asked, self.asked = self.asked, []
        return asked
