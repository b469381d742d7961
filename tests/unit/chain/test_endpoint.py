"""An endpoint whose answers have no end: in bytes, unpacked, or in time."""

from __future__ import annotations

import gzip
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from marketplace.chain import endpoint
from marketplace.chain.client import MOST_TRAINERS, MarketClient
from marketplace.chain.endpoint import EndpointProvider
from marketplace.chain.events import MARKET_EVENTS, fetch
from marketplace.chain.types import Project
from marketplace.errors import FairshareError, Reason
from tests.support.structs import blank

MARKET = "0x" + "12" * 20
MOST = 20_000

Answer = Callable[[http.server.BaseHTTPRequestHandler, dict[str, Any]], None]


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                answer(self, request)
            except OSError:  # the client has had enough
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def say(handler: http.server.BaseHTTPRequestHandler, body: bytes, **headers: str) -> None:
    handler.send_response(200)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def result(value: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 0, "result": value}).encode()


def refusal(answer: Answer, **options: Any) -> Reason:
    with serving(answer) as url, pytest.raises(FairshareError) as caught:
        EndpointProvider(url, 0, **options).make_request("eth_chainId", [])  # type: ignore[arg-type]
    assert caught.value.hint
    return caught.value.reason


@pytest.fixture(autouse=True)
def small_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "LARGEST_ANSWER", MOST)


def test_an_answer_beyond_the_limit_is_not_read_on() -> None:
    assert refusal(lambda handler, request: say(handler, result("0x" + "1" * MOST))) is Reason.TOO_LARGE


def test_the_limit_is_that_of_what_is_unpacked() -> None:
    bomb = gzip.compress(result("0x" + "1" * 10_000_000))
    assert len(bomb) < MOST
    assert refusal(lambda handler, request: say(handler, bomb, Content_Encoding="gzip")) is Reason.TOO_LARGE


def test_a_trickle_ends_with_the_time() -> None:
    def trickle(handler: http.server.BaseHTTPRequestHandler, request: dict[str, Any]) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(1000):
            handler.wfile.write(b" ")
            time.sleep(0.02)

    began = time.monotonic()
    assert refusal(trickle, timeout_s=0.1) is Reason.CHAIN_UNREACHABLE
    assert time.monotonic() - began < 5


def test_logs_that_are_too_many_are_asked_for_in_smaller_spans() -> None:
    spans: list[int] = []

    def logs(handler: http.server.BaseHTTPRequestHandler, request: dict[str, Any]) -> None:
        (asked,) = request["params"]
        blocks = int(asked["toBlock"], 16) - int(asked["fromBlock"], 16) + 1
        spans.append(blocks)
        say(handler, result([] if blocks <= 30 else ["x" * MOST]))

    with serving(logs) as url:
        client = MarketClient(url, MARKET, retry_for_s=0)
        assert fetch(client, MARKET_EVENTS, from_block=1, to_block=100) == []
    assert max(spans) == 100
    assert min(spans) <= 30


def test_no_more_trainers_are_read_than_a_contract_can_have(monkeypatch: pytest.MonkeyPatch) -> None:
    client = MarketClient("http://127.0.0.1:1", MARKET, retry_for_s=0)
    state = blank(Project, drawn_from=MOST_TRAINERS + 1)
    monkeypatch.setattr(client, "project", lambda project, block: state)
    with pytest.raises(FairshareError) as caught:
        client.trainer_accounts(1)
    assert caught.value.reason is Reason.INTEGRITY
