"""A port that is kept is none that a connection may be given."""

from __future__ import annotations

import random
import socket

import pytest

from marketplace.storage import ports
from marketplace.storage.ports import lasting_port, try_port


def test_it_is_below_those_that_are_lent_and_free() -> None:
    port = lasting_port()
    assert 15_000 <= port < 32_768
    try_port("127.0.0.1", port)


def test_one_that_is_taken_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        free = lasting_port()
        drawn = iter([number, number, free])
        monkeypatch.setattr(random, "randrange", lambda *_: next(drawn))
        assert lasting_port() == free


def test_an_address_of_another_machine_is_no_reason_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    monkeypatch.setattr(ports, "try_port", lambda *where: tried.append(where) or try_port(*where))
    with pytest.raises(OSError, match="assign"):
        lasting_port("192.0.2.1")
    assert len(tried) == 1
