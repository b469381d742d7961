"""What an endpoint sends on the websocket where it is to announce blocks."""

from __future__ import annotations

import functools
import json
import socket
from collections.abc import Iterator
from typing import Any
from unittest import mock

from websockets import client as websocket_client
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.utils import accept_key

from marketplace.chain import heads
from tests.fuzz.target import Target

_URL = "http://127.0.0.1:8545"
_KEY = "MDEyMzQ1Njc4OWFiY2RlZg=="  # drawn at random by the library: here what is sent is decided beforehand
_MOST_TURNS = 64  # of the listener
_TIMES = {"_LOOK_S": 0.001, "_CONNECT_TIMEOUT_S": 0.05, "_CLOSE_TIMEOUT_S": 0.05}
_WELCOME = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Accept: {accept_key(_KEY)}\r\n"
)
_PACKED = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n"
_SUBSCRIBED = b'{"jsonrpc":"2.0","id":1,"result":"0x1"}'
_NEWS = (
    b'{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0x1","result":{"number":"0x2"}}}'
)


class _Pipe(socket.socket):
    """One end of a pair, without TCP's options. The endpoint answers the handshake with the head of what it has to say,
    and what is asked next with all the rest; then it hangs up.
    """

    def speak(self, far: socket.socket, stream: bytes) -> _Pipe:
        """`far`: the endpoint's end."""
        head, end, rest = stream.partition(b"\r\n\r\n")
        self._far, self._answers = far, [head + end, rest] if end else [head]
        return self

    def setsockopt(self, *options: object) -> None:
        """Nothing to set."""

    def sendall(self, *what: Any) -> None:
        """Sends it, and has the answer."""
        super().sendall(*what)
        if self._answers:
            self._far.sendall(self._answers.pop(0))
            if not self._answers:
                self._far.shutdown(socket.SHUT_WR)


class _Listener(heads.Heads):
    """Listens in the thread that calls it, for as long as somebody tells anything."""

    turns = 0

    def _goes_on(self) -> bool:
        self.turns += 1
        return self.turns == 1 or (self._is_told and self.turns < _MOST_TURNS)


def _stream(data: bytes) -> bytes:
    """The first byte: whether the rest is a message, frames, packed frames, or all that the endpoint says."""
    kind, rest = data[:1], data[1:]
    match kind[0] % 4 if kind else 0:
        case 0:
            return _welcome() + _frame(rest) + _frame(_NEWS)
        case 1:
            return _welcome() + rest
        case 2:
            return _welcome(_PACKED) + rest
        case _:
            return rest


def _listen(data: bytes) -> object:
    pair, far = socket.socketpair()
    with far, _Pipe(fileno=pair.detach()).speak(far, _stream(data)) as near:
        connect = functools.partial(heads.connect, sock=near)
        with (
            mock.patch.multiple(heads, connect=connect, **_TIMES),
            mock.patch.object(websocket_client, "generate_key", return_value=_KEY),
        ):
            listener = _Listener(lambda: _URL)
            listener._listen()
    return listener.mark


def _welcome(more: str = "") -> bytes:
    return f"{_WELCOME}{more}\r\n".encode()


def _frame(payload: bytes) -> bytes:
    return Frame(Opcode.TEXT, payload).serialize(mask=False)


def _packed(payload: bytes) -> bytes:
    packer = PerMessageDeflate(False, False, 15, 15)
    return Frame(Opcode.TEXT, payload).serialize(mask=False, extensions=[packer])


def _seeds() -> Iterator[bytes]:
    yield b"\0" + _SUBSCRIBED
    yield b"\0" + json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "no"}}).encode()
    halves = (
        Frame(Opcode.TEXT, _NEWS[:40], fin=False).serialize(mask=False),
        Frame(Opcode.CONT, _NEWS[40:]).serialize(mask=False),
    )
    others = (Frame(Opcode.PING, b"ping"), Frame(Opcode.BINARY, b"\xff"), Frame(Opcode.CLOSE, b"\x03\xe8"))
    frames = [_frame(_SUBSCRIBED), *halves, *(other.serialize(mask=False) for other in others)]
    yield b"\1" + b"".join(frames)
    yield b"\2" + _packed(_SUBSCRIBED) + _packed(_NEWS)
    yield b"\2" + _packed(_SUBSCRIBED) + _packed(b"[" * (1 << 21))  # unpacks to more than is taken
    yield b"\3" + _welcome() + _frame(_SUBSCRIBED)
    yield b"\3HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"


TARGETS = (Target("head-news", _listen, _seeds, share=0.2, json_at=1),)
