"""Places to listen at, as they are written in options."""

from __future__ import annotations

import re

from marketplace.errors import FairshareError, Reason

LOOPBACK = "127.0.0.1"


def read_place(text: str, *, default_host: str | None = None) -> tuple[str, int]:
    """HOST and PORT of HOST:PORT, with [..] around an IPv6 address; BAD_INPUT for anything else.

    With `default_host` PORT alone stands for a port there.
    """
    host, colon, port = text.rpartition(":")
    if not colon and default_host is not None:
        host = default_host
    elif not colon:
        host = ""
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) <= 0xFFFF:
        raise FairshareError(
            Reason.BAD_INPUT, f"{text!r} is no place to listen", "give HOST:PORT, such as 127.0.0.1:9000"
        )
    return host.removeprefix("[").removesuffix("]"), int(port)
