"""An HTTP server beside a daemon: in a thread, bounded in connections, headers and time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI

from marketplace.errors import FairshareError, Reason
from marketplace.node.connections import Gate, Limits
from marketplace.node.request_rate import Rate, RateLimited

_IDLE_S = 5
_MAX_HEADER_BYTES = 8192
_STOP_S = 3


@contextmanager
def serving(
    app: FastAPI,
    host: str,
    port: int,
    limits: Limits | None = None,
    rate: Rate | None = None,
    *,
    name: str = "http",
) -> Iterator[int]:
    """Serves `app` in a thread called `name` until the end of the block; the port (`port` 0: any free one).

    Who is slower, or has more connections, than `limits` allow is cut off; who asks more often than `rate`, refused.
    Raises BAD_INPUT where the address cannot be had.
    """
    with listener_at(host, port) as listener:
        config = uvicorn.Config(
            RateLimited(app, rate or Rate()),
            http=Gate(limits or Limits()).protocol(),
            ws="none",  # an upgraded connection would be out of reach of the gate
            h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
            log_level="error",  # warnings are about what clients send
            access_log=False,
            server_header=False,
            timeout_keep_alive=_IDLE_S,
            timeout_graceful_shutdown=_STOP_S,
        )
        server = uvicorn.Server(config)
        arguments: dict[str, Any] = {"sockets": [listener]}
        thread = threading.Thread(target=server.run, kwargs=arguments, name=name, daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(2 * _STOP_S)


def listener_at(host: str, port: int) -> socket.socket:
    """A socket that listens there; BAD_INPUT where the address cannot be had."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, OverflowError, UnicodeError) as error:
        raise _taken(host, port, error) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        raise _taken(host, port, error) from error
    return listener


def _taken(host: str, port: int, error: Exception) -> FairshareError:
    return FairshareError(
        Reason.BAD_INPUT, f"nothing can listen at {host}:{port}: {error}", "choose another place"
    )
