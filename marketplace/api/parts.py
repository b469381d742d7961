"""Small values of the chain as the API writes them; pure."""

from __future__ import annotations

from marketplace.api import models as m
from marketplace.chain import events as e
from zk.curve import Point


def transaction_of(event: e.Event) -> str:
    """The hash of the transaction that an event comes from."""
    return hexed(event.transaction_hash)


def hexed(digest: bytes) -> str:
    """A digest."""
    return "0x" + digest.hex()


def hexed_or_none(digest: bytes) -> str | None:
    """A digest; None for zeros, which stand for none."""
    return hexed(digest) if any(digest) else None


def point_of(point: Point) -> m.Point:
    """A commitment."""
    return m.Point(x=str(point.x), y=str(point.y))
