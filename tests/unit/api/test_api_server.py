"""The API's server: a peer may ask so often, and have so many connections."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from fastapi import FastAPI

from marketplace.api import problems
from marketplace.api.server import server_of
from marketplace.node.connections import Limits
from marketplace.node.listening import listener_at
from marketplace.node.places import LOOPBACK
from marketplace.node.request_rate import Rate


@contextmanager
def running(rate: Rate) -> Iterator[int]:
    app = FastAPI()
    problems.install(app)
    app.get("/health")(lambda: "well")
    with listener_at(LOOPBACK, 0) as listener:
        server = server_of(app, rate, "error")
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(10)


def test_beyond_the_rate_a_problem_says_when_to_ask_again() -> None:
    with running(Rate(per_s=0.5, burst=2)) as port, httpx.Client(trust_env=False) as client:
        answers = [client.get(f"http://{LOOPBACK}:{port}/health") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    refused = answers[-1]
    assert refused.headers["content-type"] == problems.MEDIA_TYPE
    assert refused.headers["retry-after"] == "2"
    assert set(refused.json()) == set(problems.Problem.model_fields)


def test_a_peer_has_so_many_connections() -> None:
    most = Limits().of_a_peer
    with running(Rate()) as port:
        held = [socket.create_connection((LOOPBACK, port)) for _ in range(most + 3)]
        give_up_at = time.monotonic() + 10
        closed = 0
        while closed < 3 and time.monotonic() < give_up_at:
            closed = sum(is_closed(connection) for connection in held)
            time.sleep(0.02)
        assert closed == 3
        for connection in held:
            connection.close()


def is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
