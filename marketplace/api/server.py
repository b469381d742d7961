"""Serves the API."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from marketplace.errors import FairshareError, Reason

DEFAULT_PORT = 8080
_STOP_S = 5


def serve(
    app: FastAPI,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    *,
    log_level: str = "warning",
    on_listening: Callable[[], None] = lambda: None,
) -> None:
    """Serves `app` until SIGINT or SIGTERM. Loopback unless told otherwise: there is no authentication.

    `on_listening` is called once the address is ours.

    Raises BAD_INPUT where the address cannot be had.
    """
    config = uvicorn.Config(app, log_level=log_level, server_header=False, timeout_graceful_shutdown=_STOP_S)
    with _listening(host, port) as listener:
        on_listening()
        uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, OverflowError) as error:
        raise _taken(host, port, error) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
    except (OSError, OverflowError) as error:
        listener.close()
        raise _taken(host, port, error) from error
    return listener


def _taken(host: str, port: int, error: Exception) -> FairshareError:
    return FairshareError(
        Reason.BAD_INPUT, f"nothing can listen at {host}:{port}: {error}", "choose another port"
    )
