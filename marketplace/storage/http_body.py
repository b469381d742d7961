"""Request bodies of Kubo's RPC: chunked or sized, one file in a multipart form; bounded and kept on disk."""

from __future__ import annotations

import os
import re
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Protocol

MAX_BODY_BYTES = 512 * 1024 * 1024
_PIECE = 1024 * 1024
_LINE = 8192
_MAX_TRAILERS = 64
_PART_HEAD = 65_536
_LENGTH = re.compile(r"[0-9]{1,12}")
_BOUNDARY = re.compile(r"multipart/[a-z-]+\s*;.*boundary=\"?([^\";]{1,70})\"?", re.IGNORECASE)


class BadBody(ValueError):
    """A request body that is not what it should be, or too large."""


def receive(stream: BinaryIO, headers: dict[str, str], path: Path) -> None:
    """Write the body of a request to `path`; no file is made where there is none. `headers` has lower-case names.

    It is read to its end though the disk is full: a client that is cut off while it sends does not read why.
    Raises BadBody, OSError.
    """
    chunked = headers.get("transfer-encoding", "").lower() == "chunked"
    length = headers.get("content-length", "0")
    if not chunked and (not _LENGTH.fullmatch(length) or int(length) > MAX_BODY_BYTES):
        raise BadBody(f"a body of {length[:20]} bytes; the limit is {MAX_BODY_BYTES}")
    if not chunked and int(length) == 0:
        return
    with path.open("wb", buffering=0) as raw:
        file = _Spill(raw)
        if chunked:
            _receive_chunks(stream, file)
        else:
            _copy(stream, file, int(length))
        if file.error is not None:
            raise file.error


class _Sink(Protocol):
    def write(self, data: bytes, /) -> int | None: ...


class _Spill:
    """Writes until the first error, and lets go of what comes after it."""

    def __init__(self, file: BinaryIO | FileIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: bytes, /) -> int:
        left = memoryview(data)
        while left and self.error is None:
            try:
                left = left[self._file.write(left) :]
            except OSError as error:
                self.error = error
        return len(data)


def single_file(path: Path, content_type: str, target: Path) -> None:
    """Write the content of the one file of a multipart body at `path` to `target`. Raises BadBody."""
    found = _BOUNDARY.match(content_type)
    if not found or not path.exists():
        raise BadBody("not a multipart form")
    boundary = b"--" + found[1].encode("latin-1")
    with path.open("rb") as body:
        head = body.read(_PART_HEAD)
        blank = head.find(b"\r\n\r\n")
        if not head.startswith(boundary + b"\r\n") or blank < 0:
            raise BadBody("not a multipart form with one file")
        start = blank + 4
        size = body.seek(0, os.SEEK_END)
        closing = b"\r\n" + boundary + b"--"
        body.seek(max(start, size - len(closing) - 2))
        tail = body.read()
        at = tail.rfind(closing)
        if at < 0:
            raise BadBody("a multipart form that does not end after one file")
        length = size - len(tail) + at - start
        body.seek(start)
        with target.open("wb") as file:
            _copy(body, file, length)


def _receive_chunks(stream: BinaryIO, file: _Sink) -> None:
    total = 0
    while True:
        size_text = stream.readline(_LINE).split(b";")[0].strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,8}", size_text):
            raise BadBody("a chunk without a size")
        size = int(size_text, 16)
        total += size
        if total > MAX_BODY_BYTES:
            raise BadBody(f"a body beyond the limit of {MAX_BODY_BYTES} bytes")
        if size == 0:
            for _ in range(_MAX_TRAILERS):
                if not stream.readline(_LINE).strip():
                    return
            raise BadBody(f"over {_MAX_TRAILERS} trailers")
        _copy(stream, file, size)
        if stream.readline(_LINE) != b"\r\n":
            raise BadBody("a chunk that is longer than its size")


def _copy(source: BinaryIO, target: _Sink, length: int) -> None:
    while length:
        piece = source.read(min(length, _PIECE))
        if not piece:
            raise BadBody("a body that ends too early")
        target.write(piece)
        length -= len(piece)
