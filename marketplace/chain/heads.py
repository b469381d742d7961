"""News of the chain's head: threads that wait for it are woken by the endpoint, where that tells of new blocks."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

_CONNECT_TIMEOUT_S = 3.0
_CLOSE_TIMEOUT_S = 1.0
_RETRY_AFTER_S = 30.0  # before another attempt to subscribe
_LARGEST_MESSAGE = 1024 * 1024  # bytes
_LOOK_S = 0.5  # how often a thread that waits looks whether it is to stop, and the listener for its end
_SUBSCRIBE = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]})


class Heads:
    """What the endpoint at `url()` announces by a `newHeads` subscription, a websocket on the same address.

    Nothing is believed of it but that it is time to look. One thread listens while somebody is `listening`; many
    endpoints offer no websocket: there `wait` just waits. Threads may share it.
    """

    def __init__(self, url: Callable[[], str]) -> None:
        self._url = url
        self._changed = threading.Condition()
        self._count = 0  # of announcements
        self._wanted = 0  # by so many
        self._runs = False  # the listener's thread
        self._is_told = False  # whether a subscription is there

    @contextmanager
    def listening(self) -> Iterator[None]:
        """While the block runs, announcements are listened to."""
        with self._changed:
            self._wanted += 1
            if not self._runs:
                self._runs = True
                threading.Thread(target=self._listen, name="heads", daemon=True).start()
        try:
            yield
        finally:
            with self._changed:
                self._wanted -= 1
                self._changed.notify_all()

    @property
    def mark(self) -> int:
        """To be taken before looking at the chain: `wait` returns at once for what was announced since."""
        with self._changed:
            return self._count

    def wait(self, mark: int, stop: threading.Event, *, most_s: float, else_s: float) -> None:
        """Until something was announced since `mark`, for `most_s` seconds at most; for `else_s` where nobody tells.

        Returns early when `stop` is set.
        """
        give_up_at = time.monotonic() + most_s
        blind_until = time.monotonic() + else_s
        with self._changed:
            while self._count == mark and not stop.is_set():
                until = give_up_at if self._is_told else min(give_up_at, blind_until)
                left = until - time.monotonic()
                if left <= 0:
                    return
                self._changed.wait(min(left, _LOOK_S))

    def _listen(self) -> None:
        socket: ClientConnection | None = None
        at, not_before = "", 0.0
        while self._goes_on():
            url = self._url()
            if url != at:  # another endpoint is in use now
                self._close(socket)
                socket = None
                at, not_before = url, 0.0
            if socket is None and time.monotonic() >= not_before:
                socket = _subscribed(url)
                not_before = time.monotonic() + _RETRY_AFTER_S
                if socket is not None:
                    self._tell(is_told=True)  # there may have been a block before
            if socket is None:
                with self._changed:
                    self._changed.wait(_LOOK_S)
                continue
            try:
                socket.recv(timeout=_LOOK_S)
                self._tell(is_told=True)
            except TimeoutError:
                continue
            except (WebSocketException, OSError):
                self._close(socket)
                socket = None
        self._close(socket)

    def _goes_on(self) -> bool:
        with self._changed:
            self._runs = self._wanted > 0
            return self._runs

    def _tell(self, *, is_told: bool) -> None:
        with self._changed:
            self._is_told = is_told
            self._count += 1
            self._changed.notify_all()

    def _close(self, socket: ClientConnection | None) -> None:
        if socket is not None:
            self._tell(is_told=False)  # who waits looks by itself from now on
            socket.close()


def _subscribed(url: str) -> ClientConnection | None:
    """A connection on which the endpoint announces its blocks; None where it offers none."""
    parts = urlsplit(url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    try:
        socket = connect(
            urlunsplit((scheme, parts.netloc, parts.path, parts.query, "")),
            open_timeout=_CONNECT_TIMEOUT_S,
            close_timeout=_CLOSE_TIMEOUT_S,
            ping_interval=None,  # a busy node reads no answers; a dead socket costs a poll at most
            max_size=_LARGEST_MESSAGE,
            proxy=None,
        )
    except (WebSocketException, OSError, TimeoutError, ValueError):
        return None
    try:
        socket.send(_SUBSCRIBE)
        answer = json.loads(socket.recv(timeout=_CONNECT_TIMEOUT_S))
        if isinstance(answer, dict) and "result" in answer:
            return socket
    except (WebSocketException, OSError, TimeoutError, ValueError, RecursionError):
        pass
    socket.close()
    return None
