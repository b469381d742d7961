"""Connections to a node's server, so bounded that slow clients lock nobody out: in number, by peer, in time."""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

_IPV6_PREFIX = 64  # bits; whoever has one IPv6 address has all of its network


@dataclass(frozen=True)
class Limits:
    """`request_s`: seconds for a connection, from its opening to the answer."""

    connections: int = 256
    of_a_peer: int = 32
    request_s: float = 10.0


class Bounded(H11Protocol):
    """uvicorn's HTTP/1.1 protocol that reports its connection to a `Gate`, which may cut it off."""

    gate: Gate

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """One that is not let in is closed at once, unread."""
        super().connection_made(transport)
        self.gate.enter(self, peer_of(self.client[0] if self.client else ""))

    def connection_lost(self, exc: Exception | None) -> None:
        """Makes room."""
        self.gate.leave(self)
        super().connection_lost(exc)

    def cut_off(self) -> None:
        """Close at once, with nothing more read or written: a client may not read what it is sent, either."""
        self.transport.abort()


class Gate:
    """Who is connected to one server. Used in its event loop only.

    A peer that has as many connections as a peer may have gets no more. Where all are taken, the oldest makes room:
    who holds them idle cannot keep them.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open: dict[Bounded, tuple[str, asyncio.TimerHandle]] = {}  # the oldest first

    def protocol(self) -> type[Bounded]:
        """The protocol to give to uvicorn as `http`."""
        made: dict[str, Any] = {"gate": self}
        return type("BoundedHere", (Bounded,), made)

    def enter(self, connection: Bounded, peer: str) -> None:
        """Let a connection in and start its time, or cut it off."""
        if sum(other == peer for other, _ in self._open.values()) >= self._limits.of_a_peer:
            connection.cut_off()
            return
        if len(self._open) >= self._limits.connections:
            self._cut_off(next(iter(self._open)))
        deadline = connection.loop.call_later(self._limits.request_s, self._cut_off, connection)
        self._open[connection] = (peer, deadline)

    def leave(self, connection: Bounded) -> None:
        """Forget a connection; nothing where it was not let in."""
        _, deadline = self._open.pop(connection, ("", None))
        if deadline is not None:
            deadline.cancel()

    def _cut_off(self, connection: Bounded) -> None:
        self.leave(connection)
        connection.cut_off()


def peer_of(host: str) -> str:
    """Whom connections from an address are counted for: it, or its network where that is one subscriber's."""
    try:
        at = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(at, ipaddress.IPv4Address):
        return host
    if at.ipv4_mapped is not None:
        return str(at.ipv4_mapped)
    return str(ipaddress.ip_network((int(at) >> 128 - _IPV6_PREFIX << 128 - _IPV6_PREFIX, _IPV6_PREFIX)))
