"""Storage that is down, is something else, or is not where it is said to be."""

from __future__ import annotations

import time

import pytest

from marketplace.errors import Reason
from marketplace.storage import store
from tests.e2e.bad_input.commands import (
    AUDIT,
    MODEL,
    POST,
    SERVE,
    TRAIN,
    WATCH,
    filled,
)
from tests.e2e.bad_input.endpoints import answering, closed_port
from tests.e2e.bad_input.ground import Visitor

BOUND_S = 30


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that ask a storage node but twice."""
    monkeypatch.setattr(store, "_BACK_OFF_S", (0.01,))


def test_storage_that_is_down_is_said_after_a_while(visitor: Visitor) -> None:
    storage = f"/ip4/127.0.0.1/tcp/{closed_port()}/http"
    began = time.monotonic()
    visitor.refused(
        *filled(visitor, TRAIN), storage=storage, reason=Reason.STORAGE_UNREACHABLE, named=[storage]
    )
    assert 2 < time.monotonic() - began < BOUND_S, "tried again, and not for ever"


@pytest.mark.usefixtures("hasty")
def test_storage_that_is_down_is_said_to_an_owner(visitor: Visitor) -> None:
    storage = f"/ip4/127.0.0.1/tcp/{closed_port()}/http"
    visitor.refused(
        *filled(visitor, POST), storage=storage, reason=Reason.STORAGE_UNREACHABLE, named=[storage]
    )


@pytest.mark.usefixtures("hasty")
def test_an_audit_without_storage_cannot_be_made(visitor: Visitor) -> None:
    storage = f"/ip4/127.0.0.1/tcp/{closed_port()}/http"
    said = visitor.call(*filled(visitor, AUDIT), storage=storage)
    assert said.status == 2
    assert "error[storage-unreachable]: " in said.stderr


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    "body", [b"<html>hello</html>", b"", b"[]", b"null", b'{"Version": null', b"\xff\xfe"]
)
def test_storage_that_talks_rubbish(visitor: Visitor, body: bytes) -> None:
    with answering(body) as port:
        storage = f"/ip4/127.0.0.1/tcp/{port}/http"
        for command in (TRAIN, POST, WATCH, MODEL, SERVE):
            visitor.refused(
                *filled(visitor, command), storage=storage, reason=Reason.STORAGE_UNREACHABLE, named=[storage]
            )


def test_storage_that_knows_only_its_version(visitor: Visitor) -> None:
    with answering(b'{"Version": "0.30.0", "Commit": ""}') as port:
        storage = f"/ip4/127.0.0.1/tcp/{port}/http"
        visitor.refused(
            *filled(visitor, TRAIN), storage=storage, reason=Reason.STORAGE_UNREACHABLE, named=[storage]
        )
        visitor.refused(*filled(visitor, MODEL), storage=storage, reason=Reason.INTEGRITY, named=["Qm"])


def test_a_storage_address_that_is_none(visitor: Visitor) -> None:
    for storage in ("here", "127.0.0.1:5001", "/ip4/300.0.0.1/tcp/5001/http", "/ip4/127.0.0.1/udp/5001"):
        for command in (TRAIN, POST, MODEL):
            visitor.refused(
                *filled(visitor, command), storage=storage, reason=Reason.BAD_INPUT, named=[storage]
            )


def test_a_peer_that_is_no_address(visitor: Visitor) -> None:
    for peer in ("here", "/ip4/127.0.0.1/tcp/4001", "/ip4/127.0.0.1/udp/1/p2p/x"):
        visitor.refused(*filled(visitor, TRAIN), "--peer", peer, reason=Reason.BAD_INPUT, named=[peer])


def test_a_contact_that_is_no_address(visitor: Visitor) -> None:
    for contact in ("here", "/ip4/127.0.0.1/tcp/4001", "/" + "x" * 2000):
        visitor.refused(
            *filled(visitor, SERVE), "--contact", contact, reason=Reason.BAD_INPUT, named=[contact[:20]]
        )
