"""Answers of strangers that do not end: in bytes, in time, and once unpacked."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from marketplace.node.peer_http import peer_client, read_answer

_HEAD = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Reads a request of each connection, then lets `answer` write."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        connection.recv(65_536)
                        answer(connection)
                    except OSError:  # the client has had enough
                        continue

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def trickle(start: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in range(1000):
            connection.sendall(b"x")
            time.sleep(0.02)

    return answer


def fetched(url: str, most: int = 100, timeout_s: float = 5.0) -> bytes:
    with peer_client(timeout_s) as client, client.stream("GET", url) as response:
        return read_answer(response, most)


def test_an_answer_is_read() -> None:
    with server(lambda connection: connection.sendall(_HEAD + b"Content-Length: 5\r\n\r\nhello")) as url:
        assert fetched(url) == b"hello"


@pytest.mark.parametrize(
    "start", [b"HTTP/1.1 ", _HEAD + b"X-Header: ", _HEAD + b"Content-Length: 9999\r\n\r\n"]
)
def test_a_trickle_ends_with_the_time(start: bytes) -> None:
    began = time.monotonic()
    with server(trickle(start)) as url, pytest.raises(httpx.ReadTimeout):
        fetched(url, most=10_000, timeout_s=0.3)
    assert time.monotonic() - began < 5


def test_no_more_is_read_than_one_byte_beyond_the_most() -> None:
    with server(lambda connection: connection.sendall(_HEAD + b"\r\n" + b"x" * 100_000)) as url:
        assert fetched(url) == b"x" * 101


def test_what_is_packed_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(1 << 20))
    head = _HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    with server(lambda connection: connection.sendall(head + bomb)) as url:
        assert fetched(url, most=10_000) == bomb


def test_each_exchange_of_a_client_has_its_own_time() -> None:
    answer = _HEAD + b"Content-Length: 2\r\n\r\nok"
    with server(lambda connection: connection.sendall(answer)) as url, peer_client(0.4) as client:
        for _ in range(3):
            assert client.get(url).content == b"ok"
            time.sleep(0.2)
