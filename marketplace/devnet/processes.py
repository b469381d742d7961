"""Processes told apart from whoever gets their number later, and children that do not outlive their parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class ProcessMark:
    """A process by number and start: a number alone may come to mean another process."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Self:
        """The mark of a running process; ValueError when there is none."""
        started = _started(pid)
        if not started:
            raise ValueError(f"there is no process {pid}")
        return cls(pid, started)

    def runs(self) -> bool:
        """Whether this very process still runs."""
        return _started(self.pid) == self.started

    def end(self, patience_s: float) -> None:
        """SIGTERM, then SIGKILL after `patience_s` seconds; returns when it is gone."""
        for number, wait_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, patience_s)):
            if not self.runs():
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
            give_up_at = time.monotonic() + wait_s
            while self.runs() and time.monotonic() < give_up_at:
                time.sleep(0.05)


def dies_with_parent() -> Callable[[], None] | None:
    """A `preexec_fn` by which Linux ends the child when the thread that started it ends; None elsewhere."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up here: the child of a fork should do as little as possible
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _started(pid: int) -> str:
    """When the process started, as text; empty for none, and for one that has ended but was not waited for."""
    if Path("/proc/self/stat").exists():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        status, started = fields[0], fields[19]  # proc(5): state; starttime, in clock ticks after boot
    else:
        listed = subprocess.run(
            ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
        status, _, started = listed.stdout.strip().partition(" ")
    return "" if status.startswith("Z") else started.strip()
