"""HTTP to addresses that strangers put on chain: what they send is bounded in bytes and, as a whole, in time."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx


def peer_client(timeout_s: float) -> httpx.Client:
    """A client whose every exchange, from dialling to the last byte that is read of the answer, ends in `timeout_s`.

    httpx alone bounds each read: a byte now and then would keep it for days. It follows nobody anywhere, and asks for
    what is not packed.
    """
    return httpx.Client(
        transport=_Hurried(timeout_s),
        timeout=timeout_s,
        headers={"Accept-Encoding": "identity"},
        follow_redirects=False,
        trust_env=False,
    )


def read_answer(response: httpx.Response, most: int) -> bytes:
    """The body as it came, cut after `most` bytes and one: what was packed all the same is not unpacked."""
    body = bytearray()
    for piece in response.iter_raw():
        body += piece
        if len(body) > most:
            break
    return bytes(body[: most + 1])


class _Hurried(httpx.HTTPTransport):
    """Its exchanges have `limit_s` each. Threads may share it."""

    def __init__(self, limit_s: float) -> None:
        context = httpx.create_ssl_context(trust_env=False)
        super().__init__(verify=context, trust_env=False)
        self._limit_s = limit_s
        self._due = _Due()
        # httpx hands no backend on to the pool that it makes.
        self._pool = httpcore.ConnectionPool(ssl_context=context, network_backend=_Backend(self._due))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx; the body is read within the same limit."""
        self._due.at = time.monotonic() + self._limit_s
        return super().handle_request(request)


class _Due(threading.local):
    """When this thread's exchange must be over (time.monotonic)."""

    at: float = float("inf")

    def left(self, timeout: float | None) -> float:
        """Seconds for one more step. Raises ReadTimeout where none are left."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the exchange takes too long")
        return left if timeout is None else min(timeout, left)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, due: _Due) -> None:
        self._due = due
        self._real = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """See httpcore."""
        stream = self._real.connect_tcp(host, port, self._due.left(timeout), local_address, socket_options)
        return _Stream(stream, self._due)

    def sleep(self, seconds: float) -> None:
        """See httpcore."""
        self._real.sleep(self._due.left(seconds))


class _Stream(httpcore.NetworkStream):
    def __init__(self, real: httpcore.NetworkStream, due: _Due) -> None:
        self._real, self._due = real, due

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """See httpcore."""
        return self._real.read(max_bytes, self._due.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """See httpcore."""
        self._real.write(buffer, self._due.left(timeout))

    def close(self) -> None:
        """See httpcore."""
        self._real.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """See httpcore."""
        return _Stream(self._real.start_tls(ssl_context, server_hostname, self._due.left(timeout)), self._due)

    def get_extra_info(self, info: str) -> Any:
        """See httpcore."""
        return self._real.get_extra_info(info)
