"""Structured logs: one JSON object a line, on standard error or in a file."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TextIO

import structlog

from marketplace.node import console

Logger = structlog.stdlib.BoundLogger


def configure(*, file: Path | None = None, verbose: bool = False, **context: str) -> None:
    """Sends this process's events to `file`, or to standard error; `context` is part of every line.

    Call it once, before the first `logger`.
    """
    stream: TextIO = sys.stderr
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        stream = file.open("a", encoding="utf8", buffering=1)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=_as_text, sort_keys=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**context)


def logger(**context: object) -> Logger:
    """A logger whose lines carry `context`."""
    bound: Logger = structlog.get_logger(**context)
    return bound


def tell(text: str) -> None:
    """A warning of what has no logger of its own: in the log where this process keeps one, else on standard error."""
    if structlog.is_configured():
        logger().warning(text)
    else:
        console.note(text)


def _as_text(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
