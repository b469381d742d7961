"""Helpers of the targets: bytes in files, in other bytes, and in the answers of servers."""

from __future__ import annotations

import functools
import io
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import httpx
import requests
import urllib3

_PATCH_BYTES = 3


@functools.cache
def scratch() -> Path:
    """A folder in memory where there is one, else on disk."""
    memory = Path("/dev/shm")
    kept = tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory if memory.is_dir() else None)
    _folders.append(kept)
    return Path(kept.name)


_folders: list[tempfile.TemporaryDirectory[str]] = []  # removed when the process ends


def as_file(data: bytes, name: str = "input") -> Path:
    """A file with these bytes, the same one each time."""
    path = scratch() / name
    path.write_bytes(data)
    return path


def patched(base: bytes, patches: bytes) -> bytes:
    """`base` with single bytes replaced: u16 place (modulo the length) and the byte, one after the other."""
    changed = bytearray(base)
    for at in range(0, len(patches) - _PATCH_BYTES + 1, _PATCH_BYTES):
        changed[int.from_bytes(patches[at : at + 2], "big") % len(base)] = patches[at + 2]
    return bytes(changed)


def parts(data: bytes, count: int) -> list[bytes]:
    """`count` pieces: all but the last behind their length (u8)."""
    found = []
    for _ in range(count - 1):
        length = data[0] if data else 0
        found.append(data[1 : 1 + length])
        data = data[1 + length :]
    return [*found, data]


def joined(*pieces: bytes) -> bytes:
    """The inverse of `parts`."""
    return b"".join(bytes([len(piece)]) + piece for piece in pieces[:-1]) + pieces[-1]


@contextmanager
def every_server_answers(data: bytes) -> Iterator[None]:
    """Whatever is asked over HTTP: the first byte decides about the status, the others are the body."""
    status = (200, 200, 200, 500, 404, 429, 302, 204)[data[0] % 8] if data else 200
    body = data[1:]

    def by_requests(
        self: requests.adapters.HTTPAdapter, request: requests.PreparedRequest, **how: object
    ) -> requests.Response:
        answer = requests.Response()
        answer.status_code, answer.url, answer.request = status, str(request.url), request
        answer.headers["Content-Type"] = "application/json"
        answer.raw = by_urllib3(answer.headers)
        return answer

    def by_urllib3(headers: Mapping[str, str]) -> urllib3.HTTPResponse:
        return urllib3.HTTPResponse(io.BytesIO(body), headers, status, preload_content=False)

    def by_pool(self: urllib3.HTTPConnectionPool, *what: object, **how: object) -> urllib3.HTTPResponse:
        return by_urllib3({"Content-Type": "application/json"})

    def by_httpx(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, stream=httpx.ByteStream(body))

    with (
        mock.patch.object(requests.adapters.HTTPAdapter, "send", by_requests),
        mock.patch.object(urllib3.HTTPConnectionPool, "urlopen", by_pool),
        mock.patch.object(httpx.HTTPTransport, "handle_request", by_httpx),
        mock.patch.object(httpx, "create_ssl_context", return_value=_certificates()),
    ):
        yield


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Made once: to read all certificates for each client would be what is measured."""
    return ssl.create_default_context()


def answer(body: bytes) -> bytes:
    """An input for `every_server_answers`, status 200."""
    return b"\0" + body
