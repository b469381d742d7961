"""What a visitor asks the market's HTTP API for, over a chain that is sound."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import unquote

import h11
from eth_utils.abi import collapse_if_tuple, function_abi_to_4byte_selector
from starlette.types import ASGIApp, Message, Scope
from web3.providers.base import JSONBaseProvider

from marketplace.api import create_app
from marketplace.api.problems import MEDIA_TYPE
from marketplace.chain.client import MarketClient
from marketplace.chain.contracts import GRAM_VERIFIER, MARKET, REPUTATION, interface_abi
from marketplace.chain.types import address
from marketplace.node.request_rate import Rate, RateLimited
from tests.fuzz.abi import ACCOUNT, encoded
from tests.fuzz.forge import joined, parts, scratch
from tests.fuzz.target import Target

_MARKET = address("0x" + "12" * 20)
_NO_END = Rate(1e9, 1 << 40)
_BLOCK = {"number": "0x5", "timestamp": "0x6", "hash": "0x" + "11" * 32}


class Broken(AssertionError):
    """An answer that a visitor must not get."""


class _SoundChain(JSONBaseProvider):
    """A chain with one project, which answers every view with values of the right types, and has no events."""

    def make_request(self, method: Any, params: Any) -> Any:
        return {"jsonrpc": "2.0", "id": 1, "result": self._result(method, params)}

    def make_batch_request(self, requests: Any) -> Any:
        return [self.make_request(method, params) for method, params in requests]

    def _result(self, method: str, params: Any) -> object:
        match method:
            case "eth_chainId" | "eth_blockNumber":
                return "0x5"
            case "eth_getBlockByNumber":
                return _BLOCK
            case "eth_getLogs":
                return []
            case "eth_call":
                return _answers()[params[0]["data"][:10]]
            case _:
                raise AssertionError(method)


@functools.cache
def _answers() -> dict[str, str]:
    """By selector."""
    found = {}
    for contract in (MARKET, REPUTATION, GRAM_VERIFIER):
        for entry in interface_abi(contract):
            if entry["type"] == "function":
                kinds = [collapse_if_tuple(output) for output in cast(Any, entry)["outputs"]]
                selector = "0x" + function_abi_to_4byte_selector(cast(Any, entry)).hex()
                found[selector] = "0x" + encoded(kinds).hex()
    return found


@functools.cache
def _app() -> ASGIApp:
    client = MarketClient("http://127.0.0.1:8545", _MARKET)
    client.web3.provider = _SoundChain()
    return RateLimited(create_app(client, None, scratch() / "cache"), _NO_END)


def _ask(data: bytes) -> object:
    """A request line, a header and a body, read as uvicorn reads them.

    Every refusal is a problem document, and none is the server's own fault.
    """
    method, target, header, body = parts(data, 4)
    try:
        scope = _scope(method + b" " + target + b" HTTP/1.1\r\nHost: here\r\n" + header + b"\r\n\r\n")
    except h11.RemoteProtocolError:
        return None
    status, kind, answer = asyncio.run(_asked(scope, body))
    if status >= 500 and status != 503:  # no storage node is named here: an audit cannot be made
        raise Broken(f"{status}: {answer[:300]!r}")
    if status >= 400:
        problem = json.loads(answer) if scope["method"] != "HEAD" else {"status": status}
        if kind != MEDIA_TYPE or problem["status"] != status:
            raise Broken(f"no problem document: {kind} {answer[:300]!r}")
    return status


def _scope(head: bytes) -> Scope:
    """What uvicorn makes of the head of a request. Raises RemoteProtocolError where it answers 400 by itself."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(head)
    event = connection.next_event()
    if not isinstance(event, h11.Request):
        raise h11.RemoteProtocolError("no request")
    path, _, query = event.target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": event.method.decode("ascii"),
        "scheme": "http",
        "path": unquote(path.decode("ascii")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in event.headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8080),
    }


async def _asked(scope: Scope, body: bytes) -> tuple[int, str, bytes]:
    """Status, media type and body of the answer. What the app raises is raised."""
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        said.append(message)

    await _app()(scope, receive, send)
    headers = dict(said[0]["headers"])
    whole = b"".join(message.get("body", b"") for message in said[1:])
    return said[0]["status"], headers.get(b"content-type", b"").decode("latin-1"), whole


def _seeds() -> Iterator[bytes]:
    paths = (
        *("/health", "/chain", "/projects", "/projects/1", "/projects/1/trainers", "/projects/1/rounds"),
        *("/projects/1/rounds/1", "/projects/1/payouts", "/projects/1/accounts", "/projects/1/audit"),
        *(f"/trainers/{ACCOUNT}", f"/aggregators/{ACCOUNT}", "/docs", "/openapi.json", "/nothing"),
    )
    for path in paths:
        yield joined(b"GET", path.encode(), b"Accept: */*", b"")
    yield joined(b"GET", b"/projects?offset=0&limit=100", b"Accept: */*", b"")
    yield joined(b"GET", b"/projects/1/payouts?offset=9223372036854775807&limit=1", b"Accept: */*", b"")
    yield joined(b"GET", b"/projects/%31/?limit=%EF%BC%91", b"Origin: null", b"")
    yield joined(b"POST", b"/projects/1/audit", b"Content-Type: application/json", b'{"project": 1}')


TARGETS = (Target("api-request", _ask, _seeds, share=0.5),)
