"""What a command and all that it starts take: wall and CPU seconds, and memory as /proc tells it (Linux)."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from marketplace.errors import FairshareError, Reason

LOOK_S = 1.5
_LOOK_SHARE = 0.03  # of the time at most: a look takes some milliseconds of a core for each process
_PATIENCE_S = 5.0
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Usage:
    """`peak_pss`: bytes of all processes at the same time; what several share counts once."""

    wall_s: float
    cpu_s: float
    peak_pss: int
    processes: int  # at that moment


def used_by(command: Sequence[str], environment: Mapping[str, str], log: Path, timeout_s: float) -> Usage:
    """Runs it to its end, and ends whatever it leaves behind. INTERNAL where it fails or takes too long.

    This process adopts what loses its parent meanwhile, so that its CPU time is counted, too: it should start nothing
    else meanwhile.
    """
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    cpu_before, began, others = _cpu_of_children(), time.monotonic(), _below(os.getpid())
    peak, count, look_s = 0, 0, 0.0
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        while True:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(LOOK_S, look_s / _LOOK_SHARE))
            wall_s = time.monotonic() - began
            if process.returncode is not None or wall_s > timeout_s:
                break
            looked = time.monotonic()
            alive = _below(os.getpid()) - others
            memory = sum(map(pss, alive))
            look_s = time.monotonic() - looked
            if memory > peak:
                peak, count = memory, len(alive)
        _end_all_but(others)
    if process.returncode != 0:
        raise FairshareError(Reason.INTERNAL, f"{command[-2:]} failed", f"see {log}")
    return Usage(wall_s, _cpu_of_children() - cpu_before, peak, count)


def _cpu_of_children() -> float:
    """Of those waited for, by us or by those we waited for."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _below(root: int) -> set[int]:
    """All processes that descend from `root`."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.name))
    found: set[int] = set()
    left = [root]
    while left:
        below = children.get(left.pop(), [])
        found.update(below)
        left += below
    return found


def pss(pid: int) -> int:
    """Bytes of a process, its share of what it shares with others; 0 once it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _end_all_but(others: set[int]) -> None:
    """Ends and waits for what else is below this process."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        give_up_at = time.monotonic() + _PATIENCE_S
        for pid in _below(os.getpid()) - others:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        while left := _below(os.getpid()) - others:
            if time.monotonic() > give_up_at:
                break
            for pid in left:
                with suppress(ChildProcessError):  # another's: that one waits for it
                    os.waitpid(pid, os.WNOHANG)
            time.sleep(0.02)
