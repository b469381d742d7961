"""HTTP/1.1 around the RPC, on 127.0.0.1: what Kubo's clients expect of /api/v0."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import parse_qsl, urlsplit

from marketplace.errors import FairshareError
from marketplace.storage.http_body import BadBody, receive, single_file
from marketplace.storage.inventory import FULL_ERRORS, NO_SPACE
from marketplace.storage.rpc import Query, Rpc, RpcError, RpcUnavailable

HOST = "127.0.0.1"
_PREFIX = "/api/v0/"
_LOCAL_NAMES = ("127.0.0.1", "localhost")
_IDLE_S = 120.0


class RpcServer(ThreadingHTTPServer):
    """Serves an `Rpc`. Port 0 picks a free one. `failed` is set if the node cannot go on."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, rpc: Rpc, temporary: Path, failed: threading.Event) -> None:
        super().__init__((HOST, port), _Handler)
        self.rpc = rpc
        self.failed = failed
        self._temporary = temporary
        self._serial = 0
        self._lock = threading.Lock()

    @property
    def multiaddress(self) -> str:
        """Where clients find it."""
        return f"/ip4/{HOST}/tcp/{self.server_address[1]}/http"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error; all others go to the log with their trace."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def temporary_path(self, kind: str) -> Path:
        """A new path in the folder for temporary files."""
        with self._lock:
            self._serial += 1
            return self._temporary / f"{kind}-{self._serial}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S
    wbufsize = 1 << 16  # head and body of an answer go out together
    disable_nagle_algorithm = True
    server: RpcServer

    def do_POST(self) -> None:
        """Kubo takes calls by POST only."""
        path = urlsplit(self.path)
        body = self.server.temporary_path("body")
        try:
            if not self._from_here():
                self.close_connection = True  # its body is not read
                self._refuse(403, "requests of web pages and for other hosts are refused")
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            receive(cast(BinaryIO, self.rfile), headers, body)
            if path.path.startswith(_PREFIX):
                self._call(path.path[len(_PREFIX) :].rstrip("/"), _query(path.query), body)
            else:
                self._refuse(404, "404 page not found")
        except BadBody as error:
            self.close_connection = True  # what is left of the body would be read as the next request
            self._refuse(400, str(error))
        except OSError as error:
            if error.errno not in FULL_ERRORS:
                raise
            self._refuse(500, f"{NO_SPACE}: the body cannot be kept ({error.strerror})")
        finally:
            body.unlink(missing_ok=True)

    def do_GET(self) -> None:
        """Refused, as Kubo does: a page in a browser can make anybody GET."""
        self._refuse(405, "405 - Method Not Allowed")

    def log_message(self, format: str, *args: object) -> None:
        """Calls are not logged: the node's own log has them."""

    def _call(self, name: str, query: Query, body: Path) -> None:
        try:
            if name == "add":
                self._send_json(200, self._add(query, body))
                return
            if not self.server.rpc.knows(name):
                self._refuse(404, "404 page not found")
                return
            answer = self.server.rpc.answer(name, query)
            if isinstance(answer, dict):
                self._send_json(200, answer)
            else:
                self._send_stream(answer)
        except RpcError as error:
            self._refuse(500, str(error))
        except FairshareError as error:
            self._refuse(500, str(error))
            self.server.failed.set()

    def _add(self, query: Query, body: Path) -> dict[str, Any]:
        upload = self.server.temporary_path("upload")
        try:
            single_file(body, self.headers.get("Content-Type", ""), upload)
            body.unlink()  # for a large blob half of what it takes
            return self.server.rpc.add(upload, query)
        finally:
            upload.unlink(missing_ok=True)

    def _from_here(self) -> bool:
        """A web page sends Origin; one that rebinds its name to this address sends that name as Host."""
        host = self.headers.get("Host", "").rsplit(":", 1)[0]
        return "Origin" not in self.headers and "Referer" not in self.headers and host in _LOCAL_NAMES

    def _send_stream(self, pieces: Iterator[bytes]) -> None:
        first = next(pieces, b"")  # an error before the first byte can still be told
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            self._send_chunk(first)
            for piece in pieces:
                self._send_chunk(piece)
            self.wfile.write(b"0\r\n\r\n")
        except RpcUnavailable:
            self.close_connection = True  # without the last chunk the client knows that this is not all
        except RpcError as error:
            # as Kubo's daemon does: whoever checks the CID finds that these are other bytes than it names
            self.wfile.write(b"0\r\nX-Stream-Error: %s\r\n\r\n" % str(error).encode("ascii", "replace"))

    def _send_chunk(self, piece: bytes) -> None:
        if piece:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))

    def _send_json(self, status: int, document: dict[str, Any]) -> None:
        content = json.dumps(document).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _refuse(self, status: int, message: str) -> None:
        self._send_json(status, {"Message": message, "Code": 0, "Type": "error"})


def _query(text: str) -> Query:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=32)
    except ValueError:
        raise BadBody("too many arguments") from None
    return Query(
        tuple(value for name, value in pairs if name == "arg"),
        {name: value for name, value in pairs if name != "arg"},
    )
