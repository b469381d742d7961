"""The intake over HTTP: POST /submissions, GET /previews; bounded in size, time and connections."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from aggregator.connections import Gate, Limits
from aggregator.intake import MAX_BODY_BYTES, Intake, read_submission
from marketplace.errors import FairshareError, Reason
from marketplace.node.hand_over import PATH
from marketplace.node.previews import PATH as PREVIEWS

_IDLE_S = 5
_MAX_HEADER_BYTES = 8192
_STOP_S = 3
_STATUS = {
    Reason.BAD_INPUT: 400,
    Reason.INTEGRITY: 403,
    Reason.NOT_FOUND: 404,
    Reason.REFUSED: 409,
    Reason.TOO_LARGE: 413,
}


def create_app(intake: Intake) -> FastAPI:
    """Answers a submission with {"receipt": ..}, or {"error": {code, message, hint}} and a 4xx; shows previews."""
    app = FastAPI(openapi_url=None)

    @app.post(PATH)
    async def take(request: Request) -> Response:
        try:
            submission = read_submission(await _body(request))
            receipt = await run_in_threadpool(intake.take, submission)
        except ClientDisconnect:
            return Response(status_code=400)  # for nobody: it has gone, or was too slow
        except FairshareError as error:
            document = {"code": str(error.reason), "message": error.message, "hint": error.hint}
            return JSONResponse({"error": document}, _STATUS.get(error.reason, 500))
        return JSONResponse({"receipt": receipt})

    @app.get(PREVIEWS + "/{project}/{round_}")
    async def preview(project: int, round_: int) -> Response:
        document = intake.preview(project, round_)
        if document is None:
            return Response(status_code=404)
        return Response(document, media_type="application/json")

    return app


@contextmanager
def listening(intake: Intake, host: str, port: int, limits: Limits | None = None) -> Iterator[int]:
    """Serves the intake in a thread until the end of the block; the port (`port` 0: any free one).

    Who is slower, or has more connections, than `limits` allow is cut off.
    Raises BAD_INPUT where the address cannot be had.
    """
    with _listener(host, port) as listener:
        config = uvicorn.Config(
            create_app(intake),
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
