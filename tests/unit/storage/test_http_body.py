"""Request bodies of the storage node's RPC: what is refused before it is kept."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import pytest

from marketplace.storage.http_body import BadBody, receive


class Endless(io.RawIOBase):
    """A stream that goes on with one line for ever."""

    def __init__(self, start: bytes, line: bytes) -> None:
        self._lines = itertools.chain([start], itertools.repeat(line))

    def readline(self, size: int | None = -1) -> bytes:
        return next(self._lines)


def received(path: Path, body: bytes, **headers: str) -> bytes:
    receive(io.BytesIO(body), {name.replace("_", "-"): value for name, value in headers.items()}, path)
    return path.read_bytes()


def test_sized_and_chunked(tmp_path: Path) -> None:
    assert received(tmp_path / "b", b"hello!", content_length="5") == b"hello"
    chunked = b"5\r\nhello\r\n0\r\nSome: trailer\r\n\r\n"
    assert received(tmp_path / "b", chunked, transfer_encoding="chunked") == b"hello"


@pytest.mark.parametrize("length", ["-1", "1e3", "9" * 5000, "\u0663", "", "600000000"])
def test_lengths_that_are_none(tmp_path: Path, length: str) -> None:
    with pytest.raises(BadBody):
        received(tmp_path / "b", b"hello", content_length=length)


def test_trailers_end(tmp_path: Path) -> None:
    with pytest.raises(BadBody):
        receive(Endless(b"0\r\n", b"X: y\r\n"), {"transfer-encoding": "chunked"}, tmp_path / "b")  # type: ignore[arg-type]
