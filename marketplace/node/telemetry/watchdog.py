"""Tells systemd that the node is alive, as long as it is: sd_notify(3), and `WatchdogSec=` of the unit."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

_PER_INTERVAL = 3  # signs of life in the time that systemd waits for one


@dataclass(frozen=True)
class Watchdog:
    """Where signs of life are sent, and how often. `address`: of a Unix datagram socket."""

    address: str
    every_s: float

    @contextmanager
    def fed(self, alive: Callable[[], bool]) -> Iterator[None]:
        """Sends a sign of life again and again, in a thread, while `alive` says so."""
        stop = threading.Event()

        def feed() -> None:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                while not stop.wait(self.every_s):
                    if alive():
                        channel.sendto(b"WATCHDOG=1", self.address)

        thread = threading.Thread(target=feed, name="watchdog", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(1)


def watchdog(environment: Mapping[str, str] = os.environ) -> Watchdog | None:
    """What systemd asks of this process, by its environment; None where it asks for nothing."""
    place, interval = environment.get("NOTIFY_SOCKET", ""), environment.get("WATCHDOG_USEC", "")
    meant = environment.get("WATCHDOG_PID", str(os.getpid()))
    if not place or not interval.isdigit() or not int(interval) or meant != str(os.getpid()):
        return None
    address = "\0" + place[1:] if place.startswith("@") else place  # @: Linux's abstract names
    return Watchdog(address, int(interval) / 1e6 / _PER_INTERVAL)
