"""Runs one task in a worker process (`zk.worker`) and waits for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from marketplace.errors import FairshareError, Reason
from zk.lifeline import package_path
from zk.scratch import scratch

Progress = Callable[[str], None]

_STDERR_TAIL = 4096


@dataclass(frozen=True)
class Outcome:
    """A task's result, and what the worker used: CPU seconds, peak resident memory, wall time."""

    result: dict[str, Any]
    cpu_s: float
    peak_rss_bytes: int
    wall_s: float


def run(
    task: str,
    arguments: dict[str, Any],
    *,
    on_progress: Progress | None = None,
    on_failure: Reason = Reason.INTERNAL,
    address_space: int | None = None,
    threads: int | None = None,
) -> Outcome:
    """Runs `task` of `zk.tasks`; `on_progress` is called with the name of each phase as it begins.

    Raises FairshareError: `on_failure` where ezkl failed or crashed, INTERNAL where the worker was killed.
    The worker never outlives this call. `address_space` caps its memory in bytes, `threads` the threads that it
    computes in (None: one for each core).
    """
    started = time.monotonic()
    with tempfile.TemporaryFile() as log, scratch() as home:
        worker = _start(log, threads, home)
        final: dict[str, Any] | None = None
        try:
            assert worker.stdin is not None
            assert worker.stdout is not None
            request = {
                "task": task,
                "arguments": arguments,
                "parent": os.getpid(),
                "address_space": address_space,
            }
            worker.stdin.write(json.dumps(request) + "\n")
            worker.stdin.flush()
            for line in worker.stdout:
                message = json.loads(line)
                if "result" in message:
                    final = message
                elif on_progress is not None:
                    on_progress(message["phase"])
            status = worker.wait()
        except BrokenPipeError:
            status = worker.wait()
        finally:
            _stop(worker)
        if final is None or status != 0:
            raise _failure(task, status, _tail(log), on_failure)
    return Outcome(final["result"], final["cpu_s"], final["peak_rss_bytes"], time.monotonic() - started)


def _start(log: IO[bytes], threads: int | None, home: Path) -> subprocess.Popen[str]:
    """`home`: where ezkl keeps lookup tables. A shared one may hold half of one, which ezkl takes for the table."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EZKL_")}
    environment["PYTHONPATH"] = package_path()
    environment["EZKL_REPO_PATH"] = str(home)
    if threads is not None:
        environment["RAYON_NUM_THREADS"] = str(threads)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "zk.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        env=environment,
        start_new_session=True,  # Ctrl-C reaches the worker through us alone
    )


def _stop(worker: subprocess.Popen[str]) -> None:
    if worker.poll() is None:
        worker.kill()
        worker.wait()
    for pipe in (worker.stdin, worker.stdout):
        if pipe is not None:
            pipe.close()


def _tail(log: IO[bytes]) -> str:
    end = log.seek(0, os.SEEK_END)
    log.seek(max(0, end - _STDERR_TAIL))
    lines = log.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "no message"


def _failure(task: str, status: int, last_line: str, on_failure: Reason) -> FairshareError:
    if status in (-9, -15):
        return FairshareError(
            Reason.INTERNAL,
            f"the proof worker was killed during {task} (signal {-status})",
            "check the memory that is free, then try again",
        )
    if on_failure is Reason.INTEGRITY:  # of what was given to the worker
        return FairshareError(
            on_failure,
            f"ezkl cannot use these circuit files ({task}): {last_line}",
            "do not use a circuit whose files are not sound",
        )
    return FairshareError(on_failure, f"the proof worker failed in {task}: {last_line}")
