"""Ports that a node keeps over restarts: below those that systems lend to outgoing connections.

A port that was free at the first start would otherwise be some connection's at the next, for as long as that lasts.
"""

from __future__ import annotations

import errno
import random
import socket

_FIRST, _BEYOND = 15_000, 32_768  # Linux lends from 32,768 on, others from 49,152
_ATTEMPTS = 50


def lasting_port(listen: str = "127.0.0.1") -> int:
    """One that nobody uses on the address now. Raises OSError where the address is none of this machine's."""
    for _ in range(_ATTEMPTS):
        port = random.randrange(_FIRST, _BEYOND)
        try:
            try_port(listen, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            continue
        return port
    raise OSError(errno.EADDRINUSE, "no port is free")


def try_port(listen: str, port: int) -> None:
    """Raises OSError where nothing can listen there."""
    family = socket.AF_INET6 if ":" in listen else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # not held up by what the last run left
        probe.bind((listen, port))
