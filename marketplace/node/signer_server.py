"""Serves a `SignerService` over HTTP on a unix socket, or on this machine's own addresses: never further."""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from marketplace.chain.remote_signer import UNIX
from marketplace.chain.signing_rules import LARGEST_DATA
from marketplace.errors import FairshareError, Reason
from marketplace.node.lifecycle import stop_on_signals
from marketplace.node.request_rate import Rate, RateLimited
from marketplace.node.signer_service import SignerService

_LARGEST_BODY = 4 * LARGEST_DATA  # calldata in hex, and what is around it
_MOST_AT_ONCE = 32
_IDLE_S, _STOP_S = 5, 3
_LOOK_S = 0.5
_HOSTS = frozenset({"signer", "localhost"})  # "signer": what `RemoteSigner` calls a socket


def create_app(service: SignerService) -> FastAPI:
    """POST / takes one JSON-RPC request. What a page in a browser can send is refused."""
    app = FastAPI(openapi_url=None)

    @app.post("/")
    async def ask(request: Request) -> Response:
        headers = request.headers
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" or "origin" in headers or not _is_own(headers.get("host", "")):
            return Response(status_code=403)
        body = b""
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > _LARGEST_BODY:
                    return Response(status_code=413)
        except ClientDisconnect:
            return Response(status_code=400)  # for nobody: it has gone
        return JSONResponse(await run_in_threadpool(service.answer, body))

    return app


def serve(
    service: SignerService, place: str, on_listening: Callable[[], None], rate: Rate | None = None
) -> None:
    """Until SIGINT or SIGTERM. `place`: unix: and a path, or HOST:PORT of this machine; `on_listening` is called once
    it is ours; `rate`: of all who may connect. Raises BAD_INPUT. Main thread only.
    """
    with listener(place) as bound, stop_on_signals() as stop:
        server = server_of(service, rate)
        # In a thread of its own: in the main thread uvicorn ends the process by the signal, and the socket stays.
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, name="signer")
        thread.start()
        on_listening()
        while thread.is_alive() and not stop.wait(_LOOK_S):
            continue
        server.should_exit = True
        thread.join()


def server_of(service: SignerService, rate: Rate | None = None) -> uvicorn.Server:
    """Not yet running."""
    options: dict[str, Any] = {"limit_concurrency": _MOST_AT_ONCE, "timeout_keep_alive": _IDLE_S}
    return uvicorn.Server(
        uvicorn.Config(
            RateLimited(create_app(service), rate or Rate()),
            ws="none",
            proxy_headers=False,  # or whoever asks could say who it is, to be counted as another
            log_level="error",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_STOP_S,
            **options,
        )
    )


@contextmanager
def listener(place: str) -> Iterator[socket.socket]:
    """A socket at the place, which only this user may connect to where it is a path; removed in the end.

    Raises BAD_INPUT for a place that others could reach, or that cannot be had.
    """
    path = Path(place.removeprefix(UNIX)) if place.startswith(UNIX) else None
    bound = _on_port(place) if path is None else _on_path(place, path)
    try:
        yield bound
    finally:
        bound.close()
        if path is not None:
            path.unlink(missing_ok=True)


def _on_path(place: str, path: Path) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.is_socket() and not _is_taken(path):
            path.unlink()  # of a process that was killed
        before = os.umask(0o177)
        try:
            bound.bind(str(path))
        finally:
            os.umask(before)
        bound.listen()
    except OSError as error:
        bound.close()
        raise _no_place(place, str(error.strerror or error)) from error
    return bound


def _on_port(place: str) -> socket.socket:
    host, _, port = place.rpartition(":")
    try:
        own = ipaddress.ip_address(host.strip("[]"))
        if not own.is_loopback:
            raise ValueError("others could have anything signed there")
        bound = socket.socket(socket.AF_INET if own.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((str(own), int(port)))
            bound.listen()
        except (OSError, OverflowError, ValueError):
            bound.close()
            raise
    except (OSError, OverflowError, ValueError) as error:
        raise _no_place(place, str(error)) from error
    return bound


def _is_taken(path: Path) -> bool:
    """Whether a process listens at a socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(str(path)) == 0


def _is_own(host: str) -> bool:
    """Whether a request was meant for this machine, by its Host header: a name that a stranger owns may lead here."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    try:
        return name in _HOSTS or ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _no_place(place: str, why: str) -> FairshareError:
    return FairshareError(
        Reason.BAD_INPUT,
        f"the signer cannot listen at {place}: {why}",
        "give unix:PATH, or a port of 127.0.0.1 such as 127.0.0.1:9700",
    )
