"""A remote pinning service, by the IPFS Pinning Service API 1.0 (https://ipfs.github.io/pinning-services-api-spec).

The service is a stranger: its answers are bounded and held against the standard, and it is told the token alone.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from marketplace.errors import FairshareError, Reason
from marketplace.storage.cid import digest_of

TIMEOUT_S = 30.0
_LARGEST_ANSWER = 256 * 1024  # bytes
_MOST_ORIGINS = 20  # the standard's limit
_LONGEST_NAME = 255
_REASONS = {
    400: Reason.BAD_INPUT,
    401: Reason.REFUSED,
    403: Reason.REFUSED,
    404: Reason.NOT_FOUND,
    409: Reason.NO_FUNDS,
}


class Status(StrEnum):
    """How far a service is with a pin."""

    QUEUED = "queued"
    PINNING = "pinning"
    PINNED = "pinned"
    FAILED = "failed"


class _Pin(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)
    cid: Annotated[str, Field(max_length=128)]


class RemotePin(BaseModel):
    """A pin at the service (the standard's PinStatus). `delegates`: addresses that fetch it, as the service says."""

    model_config = ConfigDict(frozen=True)
    requestid: Annotated[str, Field(min_length=1, max_length=512)]
    status: Status
    pin: _Pin
    delegates: Annotated[tuple[Annotated[str, Field(max_length=512)], ...], Field(max_length=20)] = ()


class _Found(BaseModel):
    count: Annotated[int, Field(ge=0)]
    results: Annotated[tuple[RemotePin, ...], Field(max_length=1000)]


class PinningService:
    """The service at `url`, which is HTTPS, or on this machine. Safe to share between threads.

    Every call raises UNAVAILABLE where it does not answer (429 and 5xx too), REFUSED for the token, NO_FUNDS, BAD_INPUT
    for what it does not take, INTEGRITY where it does not answer as the standard says.
    """

    def __init__(self, url: str, token: str, *, timeout_s: float = TIMEOUT_S) -> None:
        """Does not connect. Raises BAD_INPUT for an address that would give the token away, and for no token."""
        self._url, self._host = _checked(url)
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise FairshareError(
                Reason.BAD_INPUT,
                "the pinning service's token is empty or holds more than plain characters",
                "give a file with the token alone (--pinning-token-file)",
            )
        self._client = httpx.Client(
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=False,
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
            },
        )

    def __repr__(self) -> str:
        return f"PinningService({self._host})"

    def close(self) -> None:
        """Ends the connections."""
        self._client.close()

    def add(self, cid: str, name: str, origins: Sequence[str]) -> RemotePin:
        """Ask it to pin a blob, which the nodes at `origins` have."""
        digest_of(cid)
        document = {
            "cid": cid,
            "name": name[:_LONGEST_NAME],
            "origins": list(dict.fromkeys(origins))[:_MOST_ORIGINS],
        }
        return self._pin(self._ask("POST", "/pins", json=document), cid)

    def find(self, cid: str) -> RemotePin | None:
        """A pin of the blob that was asked for before, the newest, whatever became of it."""
        digest_of(cid)
        asked = {"cid": cid, "status": ",".join(Status), "limit": "10"}
        body = self._ask("GET", "/pins", params=asked)
        try:
            found = _Found.model_validate_json(body)
        except ValidationError as error:
            raise self._nonsense(error) from error
        return next((pin for pin in found.results if pin.pin.cid == cid), None)

    def look(self, cid: str, request: str) -> RemotePin | None:
        """How far it is with a pin of `cid` that it calls `request`; None where it knows of none."""
        try:
            return self._pin(self._ask("GET", f"/pins/{quote(request, safe='')}"), cid)
        except FairshareError as error:
            if error.reason is not Reason.NOT_FOUND:
                raise
            return None

    def remove(self, request: str) -> None:
        """Keep the pin no longer; nothing happens where it knows of none."""
        try:
            self._ask("DELETE", f"/pins/{quote(request, safe='')}")
        except FairshareError as error:
            if error.reason is not Reason.NOT_FOUND:
                raise

    def _pin(self, body: bytes, cid: str) -> RemotePin:
        try:
            pin = RemotePin.model_validate_json(body)
        except ValidationError as error:
            raise self._nonsense(error) from error
        if pin.pin.cid != cid:
            raise self._nonsense(ValueError("another CID"))
        return pin

    def _ask(self, method: str, path: str, **options: Any) -> bytes:
        try:
            with self._client.stream(method, self._url + path, **options) as response:
                body = bytearray()
                for piece in response.iter_raw():
                    body += piece
                    if len(body) > _LARGEST_ANSWER:
                        raise self._nonsense(ValueError("too long"))
        except httpx.HTTPError as error:
            raise FairshareError(
                Reason.UNAVAILABLE,
                f"the pinning service at {self._host} does not answer: {type(error).__name__}",
                "it is asked again later",
            ) from error
        if response.is_success:
            return bytes(body)
        raise self._failure(response.status_code)

    def _failure(self, status: int) -> FairshareError:
        reason = _REASONS.get(status, Reason.UNAVAILABLE)
        hint = {
            Reason.REFUSED: "give a token that it accepts with --pinning-token-file",
            Reason.NO_FUNDS: "pay it, or keep less there",
        }.get(reason, "it is asked again later")
        return FairshareError(reason, f"the pinning service at {self._host} answers {status}", hint)

    def _nonsense(self, error: Exception) -> FairshareError:
        return FairshareError(
            Reason.INTEGRITY,
            f"the pinning service at {self._host} does not answer by the standard ({type(error).__name__})",
            "name a service that speaks the IPFS Pinning Service API",
        )


def _checked(url: str) -> tuple[str, str]:
    """The URL without a slash at its end, and its host."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        plain = bool(host) and not (parts.query or parts.fragment or parts.username or parts.password)
        safe = parts.scheme == "https" or (parts.scheme == "http" and _is_here(host))
    except ValueError:
        plain = safe = False
        host = ""
    if not plain or not safe or not url.isascii() or not url.isprintable() or " " in url:
        raise FairshareError(
            Reason.BAD_INPUT,
            "the pinning service's address is no plain https:// URL",
            "give the endpoint that the service names; plain http:// is for 127.0.0.1 only, as the token is sent along",
        )
    return url.rstrip("/"), host


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
