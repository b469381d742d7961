"""How bodies get to a URL: connections, redirects, credentials, proxies, certificates."""

from __future__ import annotations

import gzip
import http.server
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import certifi
import pytest
import requests
import urllib3

from marketplace.chain.http_posts import BadStatus, EndlessAnswer, HttpPosts

MOST = 1000
BODY = b'{"a": 1}'


class Server:
    """Answers with what `answer` returns: status, headers, body. Notes each request, and each connection."""

    def __init__(self, answer: Callable[[str], tuple[int, dict[str, str], bytes]]) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.connections = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                outer.connections += 1

            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append(("POST", self.path, dict(self.headers.items()), sent))
                status, headers, body = answer(self.path)
                self.send_response(status)
                if headers.get("Transfer-Encoding") == "chunked":
                    body = b"".join(
                        b"%x\r\n%s\r\n" % (len(body[i : i + 7]), body[i : i + 7])
                        for i in range(0, len(body), 7)
                    )
                    body += b"0\r\n\r\n"
                else:
                    headers = {**headers, "Content-Length": str(len(body))}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator[Server]:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()


def posts(url: str) -> HttpPosts:
    return HttpPosts(url, {"Content-Type": "application/json"}, 5.0)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b"hello"),
        ({"Transfer-Encoding": "chunked"}, b"hello, hello, hello"),
        ({"Content-Encoding": "gzip"}, gzip.compress(b"hello")),
        ({"Content-Encoding": "gzip", "Transfer-Encoding": "chunked"}, gzip.compress(b"hello")),
        ({}, b""),
    ],
    ids=["plain", "chunked", "gzip", "gzip in chunks", "empty"],
)
def test_one_connection_serves_all_requests(headers: dict[str, str], body: bytes) -> None:
    with Server(lambda path: (200, headers, body)).running() as server:
        client = posts(server.url + "/v1?key=1")
        answers = {client.post(BODY, MOST) for _ in range(5)}
        assert answers == {gzip.decompress(body) if "Content-Encoding" in headers else body}
        assert server.connections == 1
    method, path, sent, received = server.requests[-1]
    assert (method, path, received) == ("POST", "/v1?key=1", BODY)
    assert sent["Content-Type"] == "application/json"


def test_threads_share_it() -> None:
    with Server(lambda path: (200, {}, b"hello")).running() as server:
        client = posts(server.url)
        with ThreadPoolExecutor(8) as threads:
            assert set(threads.map(lambda _: client.post(BODY, MOST), range(80))) == {b"hello"}
        assert len(server.requests) == 80
        assert server.connections <= 8


def test_what_is_refused_does_not_harm_what_follows() -> None:
    given: list[tuple[int, dict[str, str], bytes]] = [
        (404, {}, b"x" * 5000),
        (200, {}, b"x" * (MOST + 1)),
        (503, {}, b""),
    ]
    answers = iter(given)
    with Server(lambda path: next(answers, (200, {}, b"x" * MOST))).running() as server:
        client = posts(server.url)
        with pytest.raises(BadStatus) as caught:
            client.post(BODY, MOST)
        assert (caught.value.status, caught.value.body) == (404, b"x" * 5000)
        with pytest.raises(EndlessAnswer):
            client.post(BODY, MOST)
        with pytest.raises(BadStatus):
            client.post(BODY, MOST)
        assert client.post(BODY, MOST) == b"x" * MOST


def test_of_what_is_said_to_a_bad_status_the_beginning_is_kept() -> None:
    long = b"".join(bytes([65 + i % 26]) for i in range(200_000))
    with Server(lambda path: (400, {}, long)).running() as server:
        with pytest.raises(BadStatus) as caught:
            posts(server.url).post(BODY, MOST)
        assert len(caught.value.body) == 65_536
        assert long.startswith(caught.value.body)


def test_what_breaks_off_in_a_bad_status_is_a_bad_status() -> None:
    with Server(lambda path: (404, {"Content-Encoding": "gzip"}, b"no gzip")).running() as server:
        with pytest.raises(BadStatus) as caught:
            posts(server.url).post(BODY, MOST)
        assert (caught.value.status, caught.value.body) == (404, b"")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_with_the_body_and_without_the_credentials(status: int) -> None:
    with Server(lambda path: (200, {}, b"there")).running() as there:
        place = f"http://localhost:{there.port}/other"
        with Server(lambda path: (status, {"Location": place}, b"moved")).running() as here:
            client = posts(here.url.replace("//", "//user:pass@") + "/first")
            assert client.post(BODY, MOST) == b"there"
        assert [(path, body) for _, path, _, body in there.requests] == [("/other", BODY)]
        assert "Authorization" in here.requests[0][2]
        assert "Authorization" not in there.requests[0][2]


def test_redirects_have_an_end() -> None:
    with Server(lambda path: (302, {"Location": path + "x"}, b"")).running() as server:
        with pytest.raises(requests.exceptions.TooManyRedirects):
            posts(server.url + "/").post(BODY, MOST)
        assert len(server.requests) == 31


def test_credentials_in_the_url_are_sent() -> None:
    with Server(lambda path: (200, {}, b"in")).running() as server:
        client = posts(server.url.replace("//", "//user:p%40ss@"))
        assert client.post(BODY, MOST) == b"in"
    assert server.requests[0][2]["Authorization"] == "Basic dXNlcjpwQHNz"  # user:p@ss


def test_a_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(lambda path: (200, {}, b"by proxy")).running() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//me:secret@"))
        monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//me:secret@"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert posts("http://chain.invalid/v1").post(BODY, MOST) == b"by proxy"
        _, path, headers, _ = proxy.requests[0]
        assert path == "http://chain.invalid/v1"
        assert headers["Proxy-Authorization"] == "Basic bWU6c2VjcmV0"
        with Server(lambda path: (200, {}, b"direct")).running() as near:
            assert posts(near.url).post(BODY, MOST) == b"direct"


def test_certificates_are_checked_against_those_that_requests_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    pool = posts("https://chain.invalid")._first.pool
    assert isinstance(pool, urllib3.HTTPSConnectionPool)
    assert (pool.cert_reqs, pool.ca_certs) == ("CERT_REQUIRED", certifi.where())
    own = tmp_path / "own.pem"
    own.write_bytes(Path(certifi.where()).read_bytes())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(own))
    pool = posts("https://chain.invalid")._first.pool
    assert isinstance(pool, urllib3.HTTPSConnectionPool)
    assert (pool.cert_reqs, pool.ca_certs) == ("CERT_REQUIRED", str(own))
    own.unlink()
    with pytest.raises(requests.exceptions.SSLError):
        posts("https://chain.invalid").post(BODY, MOST)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "nonsense", "http://", "http://["])
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(requests.exceptions.RequestException) as caught:
        posts(url).post(BODY, MOST)
    assert isinstance(caught.value, ValueError)
