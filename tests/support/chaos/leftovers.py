"""Processes that outlive those who started them."""

from __future__ import annotations

import time
from pathlib import Path

import psutil

_WAIT_S = 30.0  # children look about once a second whether their parent is there


def assert_nothing_left(folder: Path) -> None:
    """No process is left whose state is below `folder`: storage nodes, provers, roles."""
    give_up_at = time.monotonic() + _WAIT_S
    while left := _below(folder):
        assert time.monotonic() < give_up_at, f"left running: {left}"
        time.sleep(0.2)


def _below(folder: Path) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            state = process.environ().get("FAIRSHARE_STATE_DIR", "")
            if Path(state).is_relative_to(folder):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:  # it has just ended, or is another user's
            continue
    return found
