from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from websockets.sync.server import Server, ServerConnection, serve

from marketplace.chain.heads import Heads

LONG_S = 60.0


class Announcer:
    """An endpoint that takes subscriptions, announces when told, and may hang up."""

    def __init__(self) -> None:
        self.connections: list[ServerConnection] = []
        self.came = threading.Semaphore(0)
        self.server: Server = serve(self._serve, "127.0.0.1", 0)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.socket.getsockname()[1]}"

    def announce(self) -> None:
        self.connections[-1].send('{"method": "eth_subscription"}')

    def _serve(self, connection: ServerConnection) -> None:
        connection.recv()
        connection.send('{"jsonrpc": "2.0", "id": 1, "result": "0x1"}')
        self.connections.append(connection)
        self.came.release()
        for _ in connection:
            pass


@pytest.fixture
def endpoint() -> Iterator[Announcer]:
    made = Announcer()
    yield made
    made.server.shutdown()


def waited_s(heads: Heads, mark: int, *, most_s: float, else_s: float) -> float:
    began = time.monotonic()
    heads.wait(mark, threading.Event(), most_s=most_s, else_s=else_s)
    return time.monotonic() - began


def settled(heads: Heads, endpoint: Announcer) -> int:
    """The mark after the announcement that a new subscription makes by itself."""
    assert endpoint.came.acquire(timeout=LONG_S)
    heads.wait(0, threading.Event(), most_s=LONG_S, else_s=LONG_S)
    return heads.mark


def test_an_announcement_wakes_everybody_who_waits(endpoint: Announcer) -> None:
    heads = Heads(lambda: endpoint.url)
    with heads.listening():
        mark, found = settled(heads, endpoint), list[float]()
        threads = [
            threading.Thread(target=lambda: found.append(waited_s(heads, mark, most_s=LONG_S, else_s=LONG_S)))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        endpoint.announce()
        for thread in threads:
            thread.join(LONG_S)
    assert len(found) == 3
    assert max(found) < LONG_S / 2


def test_what_was_announced_before_the_wait_is_not_lost(endpoint: Announcer) -> None:
    heads = Heads(lambda: endpoint.url)
    with heads.listening():
        mark = settled(heads, endpoint)
        endpoint.announce()
        heads.wait(mark, threading.Event(), most_s=LONG_S, else_s=LONG_S)
        assert heads.mark > mark
        assert waited_s(heads, mark, most_s=LONG_S, else_s=LONG_S) < 1


def test_two_who_listen_share_a_connection_which_ends_with_the_last(endpoint: Announcer) -> None:
    heads = Heads(lambda: endpoint.url)
    with heads.listening():
        with heads.listening():
            mark = settled(heads, endpoint)
        endpoint.announce()
        heads.wait(mark, threading.Event(), most_s=LONG_S, else_s=LONG_S)
        assert heads.mark > mark
        assert len(endpoint.connections) == 1
    connection = endpoint.connections[0]
    give_up_at = time.monotonic() + LONG_S
    while connection.close_code is None and time.monotonic() < give_up_at:
        time.sleep(0.02)
    assert connection.close_code is not None


def test_who_waits_asks_by_itself_once_the_endpoint_hangs_up(endpoint: Announcer) -> None:
    heads = Heads(lambda: endpoint.url)
    with heads.listening():
        mark = settled(heads, endpoint)
        endpoint.connections[0].close()
        heads.wait(mark, threading.Event(), most_s=LONG_S, else_s=LONG_S)  # woken by the end
        assert waited_s(heads, heads.mark, most_s=LONG_S, else_s=0.1) < LONG_S / 2


def test_another_endpoint_is_listened_to_when_it_is_in_use(endpoint: Announcer) -> None:
    other, used = Announcer(), [endpoint.url]
    heads = Heads(lambda: used[0])
    with heads.listening():
        settled(heads, endpoint)
        used[0] = other.url
        assert other.came.acquire(timeout=LONG_S)
    other.server.shutdown()


def test_nobody_listens_nobody_tells() -> None:
    heads = Heads(lambda: "http://127.0.0.1:1")
    assert 0.05 < waited_s(heads, heads.mark, most_s=LONG_S, else_s=0.1) < LONG_S / 2
    with heads.listening():  # nothing answers there
        assert 0.05 < waited_s(heads, heads.mark, most_s=LONG_S, else_s=0.1) < LONG_S / 2


def test_stopping_ends_a_wait() -> None:
    heads, stop = Heads(lambda: "http://127.0.0.1:1"), threading.Event()
    threading.Timer(0.1, stop.set).start()
    began = time.monotonic()
    heads.wait(heads.mark, stop, most_s=LONG_S, else_s=LONG_S)
    assert time.monotonic() - began < LONG_S / 2
