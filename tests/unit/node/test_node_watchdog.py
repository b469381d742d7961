from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path

import pytest

from marketplace.node.telemetry.watchdog import watchdog


def drain(systemd: socket.socket) -> None:
    """What was on its way."""
    time.sleep(0.1)
    systemd.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            systemd.recv(100)


def test_signs_of_life_are_sent_while_the_node_is_alive(tmp_path: Path) -> None:
    place, alive = str(tmp_path / "notify"), [True]
    asked = {"NOTIFY_SOCKET": place, "WATCHDOG_USEC": "60000", "WATCHDOG_PID": str(os.getpid())}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(place)
        systemd.settimeout(10)
        dog = watchdog(asked)
        assert dog is not None
        with dog.fed(lambda: alive[0]):
            assert systemd.recv(100) == b"WATCHDOG=1"
            alive[0] = False
            drain(systemd)
            systemd.settimeout(0.3)  # five times what systemd would wait
            with pytest.raises(TimeoutError):
                systemd.recv(100)
            alive[0] = True
            systemd.settimeout(10)
            assert systemd.recv(100) == b"WATCHDOG=1"


def test_abstract_names_are_linuxs() -> None:
    dog = watchdog({"NOTIFY_SOCKET": "@fairshare/test", "WATCHDOG_USEC": "3000000"})
    assert dog is not None
    assert (dog.address, dog.every_s) == ("\0fairshare/test", 1.0)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NOTIFY_SOCKET": "/run/x"},
        {"WATCHDOG_USEC": "5000000"},
        {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "soon"},
        {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "0"},
        {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "1"},
    ],
)
def test_who_is_not_asked_sends_nothing(environment: dict[str, str]) -> None:
    assert watchdog(environment) is None
