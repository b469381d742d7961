"""A pinning service as the IPFS Pinning Service API 1.0 describes it, over real HTTP: it fetches what it is to pin.

With a content store of its own it pins in earnest; without one it only keeps the books.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from marketplace.errors import FairshareError
from marketplace.storage.store import ContentStore

STATUSES = ("queued", "pinning", "pinned", "failed")


class PinningServer(ThreadingHTTPServer):
    """`faults`: what the next requests are answered with in place of the truth, a status each."""

    daemon_threads = True

    def __init__(self, token: str, store: ContentStore | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.token, self.store = token, store
        self.pins: dict[str, dict[str, Any]] = {}
        self.faults: list[int] = []
        self.asked: list[tuple[str, str]] = []
        self.altered: Callable[[dict[str, Any]], object] = lambda answer: answer
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/psa"

    def work(self, max_bytes: int = 10**7) -> None:
        """Fetch what is queued, from its origins: pinned, or failed where nobody serves it."""
        assert self.store is not None
        for pin in self.pins.values():
            if pin["status"] not in ("queued", "pinning"):
                continue
            try:
                for origin in pin["pin"].get("origins", ()):
                    self.store.connect(origin)
                self.store.fetch(pin["pin"]["cid"], max_bytes=max_bytes, timeout_s=5)
                self.store.pin(pin["pin"]["cid"])
                pin["status"] = "pinned"
            except FairshareError:
                pin["status"] = "failed"


@contextmanager
def pinning_server(token: str, store: ContentStore | None = None) -> Iterator[PinningServer]:
    with PinningServer(token, store) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: PinningServer

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def do_DELETE(self) -> None:
        self._answer(self._delete)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self, make: Callable[[str, dict[str, list[str]], bytes], tuple[int, Any]]) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urlsplit(self.path)
        path = parts.path.removeprefix("/psa")
        with self.server.lock:
            self.server.asked.append((self.command, path))
            if self.server.faults:
                self._send(self.server.faults.pop(0), _failure("ASKED_FOR"))
            elif self.headers.get("Authorization") != f"Bearer {self.server.token}":
                self._send(401, _failure("UNAUTHORIZED"))
            else:
                self._send(*make(unquote(path), parse_qs(parts.query), body))

    def _get(self, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, Any]:
        if path != "/pins":
            pin = self.server.pins.get(path.removeprefix("/pins/"))
            return (200, self.server.altered(pin)) if pin else (404, _failure("NOT_FOUND"))
        wanted = query.get("cid", [""])[0].split(",")
        statuses = query.get("status", ["pinned"])[0].split(",")
        limit = int(query.get("limit", ["10"])[0])
        if not set(statuses) <= set(STATUSES) or not 1 <= limit <= 1000:
            return 400, _failure("BAD_REQUEST")
        found = [
            pin
            for pin in reversed(self.server.pins.values())
            if (wanted == [""] or pin["pin"]["cid"] in wanted) and pin["status"] in statuses
        ]
        return 200, {"count": len(found), "results": found[:limit]}

    def _post(self, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, Any]:
        pin = json.loads(body)
        if path != "/pins" or not isinstance(pin.get("cid"), str) or len(pin.get("origins", ())) > 20:
            return 400, _failure("BAD_REQUEST")
        delegates = self.server.store.addresses() if self.server.store else ["/ip4/127.0.0.1/tcp/1/p2p/x"]
        status = {
            "requestid": f"id/{uuid.uuid4()}",  # any text will do, and this one must be escaped
            "status": "queued",
            "created": datetime.now(UTC).isoformat(),
            "pin": pin,
            "delegates": delegates,
            "info": {"status_details": "Queue position: 1 of 1"},
        }
        self.server.pins[status["requestid"]] = status
        return 202, self.server.altered(status)

    def _delete(self, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, Any]:
        known = self.server.pins.pop(path.removeprefix("/pins/"), None)
        return (202, None) if known else (404, _failure("NOT_FOUND"))

    def _send(self, status: int, document: Any) -> None:
        content = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _failure(reason: str) -> dict[str, Any]:
    return {"error": {"reason": reason, "details": "for humans"}}
