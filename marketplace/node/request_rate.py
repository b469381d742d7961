"""How often one peer may ask a server: a token bucket for each, in bounded memory; beyond it 429 (RFC 6585, 4)."""

from __future__ import annotations

import json
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from marketplace.errors import FairshareError, Reason
from marketplace.node.connections import peer_of

MOST_PEERS = 4096
_BURST_S = 4.0  # of requests that may come at once


@dataclass(frozen=True)
class Rate:
    """`per_s`: requests a second in the long run; `burst`: at once, after a pause."""

    per_s: float = 50.0
    burst: int = 200

    @classmethod
    def of(cls, per_s: float) -> Rate:
        """With a burst of four seconds' requests, at least one. BAD_INPUT unless there are some, but no end of them."""
        if not 0 < per_s < math.inf:
            raise FairshareError(
                Reason.BAD_INPUT,
                f"{per_s} requests a second are no rate",
                "give a number above 0, such as 50",
            )
        return cls(per_s, max(1, math.ceil(_BURST_S * per_s)))


class Buckets:
    """What each peer has left. Of more than `most_peers` the one that asked longest ago is forgotten: a bucket that
    nobody has drawn from is full, so what this gives a peer is no more than it had as a stranger. Threads may share it.
    """

    def __init__(self, rate: Rate, most_peers: int = MOST_PEERS) -> None:
        self._rate = rate
        self._most_peers = most_peers
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, and when; last asked last

    def wait_s(self, peer: str, now: float) -> float:
        """0 where the peer may ask at `now` (seconds, never backwards), which is counted; else how long it may not."""
        with self._lock:
            tokens, since = self._left.pop(peer, (float(self._rate.burst), now))
            tokens = min(self._rate.burst, tokens + (now - since) * self._rate.per_s)
            granted = tokens >= 1
            self._left[peer] = (tokens - 1 if granted else tokens, now)
            while len(self._left) > self._most_peers:
                self._left.popitem(last=False)
        return 0.0 if granted else (1 - tokens) / self._rate.per_s

    def __len__(self) -> int:
        """Peers that are known."""
        return len(self._left)


class RateLimited:
    """An ASGI app that is asked by each peer as often as `rate` allows, and answers for it with 429 beyond that.

    The answer is a problem document (docs/api.md), its Retry-After in whole seconds; of the request nothing is read.
    """

    def __init__(self, app: ASGIApp, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._buckets = Buckets(rate)
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI (https://asgi.readthedocs.io)."""
        if scope["type"] == "http":
            client = scope.get("client")  # none on a unix socket: all who may connect are one peer
            wait_s = self._buckets.wait_s(peer_of(client[0] if client else ""), self._clock())
            if wait_s > 0:
                await _refuse(send, math.ceil(wait_s))
                return
        await self._app(scope, receive, send)


async def _refuse(send: Send, seconds: int) -> None:
    document = {
        "type": "about:blank",
        "title": "Refused",
        "status": 429,
        "detail": "too many requests from this address",
        "code": Reason.REFUSED.value,
        "hint": f"ask again in {seconds} s",
    }
    body = json.dumps(document).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", str(seconds).encode()),
    ]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": body})
