"""The intake over HTTP: POST /submissions, nothing else; bounded in size, time and connections."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from aggregator.intake import MAX_BODY_BYTES, Intake, read_submission
from marketplace.errors import FairshareError, Reason
from marketplace.node.hand_over import PATH

_CONNECTIONS = 256
_IDLE_S = 5
_STOP_S = 3
_STATUS = {
    Reason.BAD_INPUT: 400,
    Reason.INTEGRITY: 403,
    Reason.NOT_FOUND: 404,
    Reason.REFUSED: 409,
    Reason.TOO_LARGE: 413,
}


def create_app(intake: Intake) -> FastAPI:
    """Answers a submission with {"receipt": ..}, or {"error": {code, message, hint}} and a 4xx."""
    app = FastAPI(openapi_url=None)

    @app.post(PATH)
    async def take(request: Request) -> JSONResponse:
        try:
            submission = read_submission(await _body(request))
            receipt = await run_in_threadpool(intake.take, submission)
        except FairshareError as error:
            document = {"code": str(error.reason), "message": error.message, "hint": error.hint}
            return JSONResponse({"error": document}, _STATUS.get(error.reason, 500))
        return JSONResponse({"receipt": receipt})

    return app


@contextmanager
def listening(intake: Intake, host: str, port: int) -> Iterator[int]:
    """Serves the intake in a thread until the end of the block; the port (`port` 0: any free one).

    Raises BAD_INPUT where the address cannot be had.
    """
    with _listener(host, port) as listener:
        config = uvicorn.Config(
            create_app(intake),
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=_IDLE_S,
            timeout_graceful_shutdown=_STOP_S,
        )
        server = uvicorn.Server(config)
        arguments: dict[str, Any] = {"sockets": [listener]}
        thread = threading.Thread(target=server.run, kwargs=arguments, name="intake", daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(2 * _STOP_S)


def read_place(text: str) -> tuple[str, int]:
    """HOST and PORT of HOST:PORT, with [..] around an IPv6 address; BAD_INPUT for anything else."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) <= 0xFFFF:
        raise FairshareError(
            Reason.BAD_INPUT, f"{text!r} is no place to listen", "give HOST:PORT, such as 127.0.0.1:9000"
        )
    return host.removeprefix("[").removesuffix("]"), int(port)


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise FairshareError(Reason.TOO_LARGE, f"a submission has at most {MAX_BODY_BYTES} bytes")
    return body


def _listener(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise _taken(host, port, error) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen()
    except OSError as error:
        listener.close()
        raise _taken(host, port, error) from error
    return listener


def _taken(host: str, port: int, error: Exception) -> FairshareError:
    return FairshareError(
        Reason.BAD_INPUT, f"nothing can listen at {host}:{port}: {error}", "choose another place"
    )
