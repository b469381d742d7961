"""Bodies posted to one URL again and again: requests works out the way there once, urllib3 goes it each time.

Of a request through a session of requests two thirds of the CPU time would go into what never changes: URL, proxy,
credentials, certificates.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
from collections.abc import Mapping
from typing import cast
from urllib.parse import urljoin

import requests
import urllib3
from requests.adapters import HTTPAdapter

from marketplace.storage.http_pieces import unpacked

_EXPLANATION = 65_536  # bytes of the answer that are kept where its status is bad
_TIMEOUTS = 4  # that a whole answer may take, however it trickles in
_MOST_CONNECTIONS = (
    64  # kept open for threads that post at the same time; more are made, and closed after use
)


class BadStatus(Exception):
    """The server answered with an HTTP status of 400 or above. `body`: the beginning of what it said."""

    def __init__(self, status: int, body: bytes = b"") -> None:
        super().__init__(f"HTTP status {status}")
        self.status = status
        self.body = body


class EndlessAnswer(Exception):
    """The answer is larger than allowed."""


@dataclasses.dataclass(frozen=True)
class _Way:
    """How to reach a URL: the connections, what to ask of them, and the headers to send."""

    pool: urllib3.HTTPConnectionPool
    target: str
    headers: Mapping[str, str]


class _Pools(HTTPAdapter):
    """The connections behind a session of requests; nothing is sent through the adapter itself."""

    def way(self, session: requests.Session, request: requests.PreparedRequest) -> _Way:
        """From what the session makes of URL and environment. Raises requests' InvalidURL, SSLError."""
        url = request.url or ""
        how = session.merge_environment_settings(url, {}, None, None, None)
        proxies, verify, certificate = how["proxies"], how["verify"], how["cert"]
        try:
            pool = self.get_connection_with_tls_context(request, verify, proxies, certificate)
        except urllib3.exceptions.LocationValueError as error:
            raise requests.exceptions.InvalidURL(error) from error
        try:
            self.cert_verify(pool, url, verify, certificate)  # type: ignore[no-untyped-call]
        except OSError as error:  # there is no such file of certificates
            raise requests.exceptions.SSLError(error) from error
        headers = {name: value for name, value in request.headers.items() if name != "Content-Length"}
        return _Way(cast(urllib3.HTTPConnectionPool, pool), self.request_url(request, proxies), headers)


class HttpPosts:
    """Posts to `url`, with the proxies, certificates and credentials that requests finds in it and in the environment.

    `timeout_s`: for the connection, and for each silence of the server; the whole answer may take four times as long.
    Redirects are followed, always as a POST. Cookies are not kept. Threads may share it.
    """

    def __init__(self, url: str, headers: Mapping[str, str], timeout_s: float) -> None:
        self._url = url
        self._headers = headers
        self._timeout_s = timeout_s
        self._timeout = urllib3.Timeout(connect=timeout_s, read=timeout_s)
        self._session = requests.Session()
        self._pools = _Pools(pool_maxsize=_MOST_CONNECTIONS)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, self._pools)

    def post(self, body: bytes, most: int) -> bytes:
        """The answer's body, unpacked, at most `most` bytes.

        Raises BadStatus, EndlessAnswer; for a URL that is none InvalidURL, InvalidSchema or MissingSchema of requests;
        for everything else that goes wrong requests' RequestException or urllib3's HTTPError.
        """
        give_up_at = time.monotonic() + _TIMEOUTS * self._timeout_s
        url, way = self._url, self._first
        for _ in range(self._session.max_redirects + 1):
            answer = way.pool.urlopen(
                "POST",
                way.target,
                body,
                way.headers,
                retries=False,
                redirect=False,
                assert_same_host=False,
                timeout=self._timeout,
                preload_content=False,
                decode_content=False,
            )
            try:
                place = answer.get_redirect_location()
                if not place:
                    return self._read(answer, most, give_up_at)
            finally:
                answer.close()  # what was read to its end has given its connection back
            url = urljoin(url, place)
            way = self._way(url)
        raise requests.exceptions.TooManyRedirects(f"{self._session.max_redirects} redirects")

    def _read(self, answer: urllib3.BaseHTTPResponse, most: int, give_up_at: float) -> bytes:
        if answer.status >= 400:
            raise BadStatus(answer.status, _explanation(answer, give_up_at))
        body = bytearray()
        for piece in unpacked(answer):
            body += piece
            if len(body) > most:
                raise EndlessAnswer
            if time.monotonic() > give_up_at:
                raise requests.exceptions.ReadTimeout("the answer does not end")
        return bytes(body)

    @functools.cached_property
    def _first(self) -> _Way:
        return self._way(self._url)

    def _way(self, url: str) -> _Way:
        request = self._session.prepare_request(requests.Request("POST", url, headers=dict(self._headers)))
        self._session.get_adapter(request.url or "")  # none for another scheme: InvalidSchema
        return self._pools.way(self._session, request)


def _explanation(answer: urllib3.BaseHTTPResponse, give_up_at: float) -> bytes:
    """What a server says to a bad status; what came of it, where it breaks off."""
    body = bytearray()
    with contextlib.suppress(urllib3.exceptions.HTTPError):
        for piece in unpacked(answer):
            body += piece
            if len(body) > _EXPLANATION or time.monotonic() > give_up_at:
                break
    return bytes(body[:_EXPLANATION])
