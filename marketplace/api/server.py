"""Serves the API."""

from __future__ import annotations

from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from marketplace.node.connections import Gate, Limits
from marketplace.node.listening import listener_at
from marketplace.node.request_rate import Rate, RateLimited

DEFAULT_PORT = 8080
_STOP_S = 5
_LIMITS = Limits(request_s=600.0)  # an audit takes as long as its proofs


def serve(
    app: FastAPI,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    *,
    rate: Rate | None = None,
    log_level: str = "warning",
    on_listening: Callable[[], None] = lambda: None,
) -> None:
    """Serves `app` until SIGINT or SIGTERM. Loopback unless told otherwise: there is no authentication.

    A peer has 32 connections, and `rate`; `on_listening` is called once the address is ours.

    Raises BAD_INPUT where the address cannot be had.
    """
    with listener_at(host, port) as listener:
        on_listening()
        server_of(app, rate or Rate(), log_level).run(sockets=[listener])


def server_of(app: FastAPI, rate: Rate, log_level: str = "warning") -> uvicorn.Server:
    """Not yet running."""
    return uvicorn.Server(
        uvicorn.Config(
            RateLimited(app, rate),
            http=Gate(_LIMITS).protocol(),
            ws="none",  # an upgraded connection would be out of reach of the gate
            log_level=log_level,
            server_header=False,
            timeout_graceful_shutdown=_STOP_S,
        )
    )
