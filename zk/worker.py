"""The process that runs ezkl: `python -m zk.worker`, one task per process.

Rust panics, memory use and low priority stay in here. Protocol, one JSON object a line: stdin carries
{"task", "arguments", "parent", "address_space"}; stdout carries {"phase": name} for each phase begun and in
the end {"result": {..}, "cpu_s", "peak_rss_bytes"}. A failure is a non-zero exit status with the reason on
stderr. When stdin closes, or the parent dies, so does the worker.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from zk.lifeline import die_with

NICENESS = 10


def main() -> None:
    """Runs the one task on stdin and leaves without Python's shutdown, which ezkl's threads can abort."""
    sys.excepthook = _fail
    answers = _take_over_stdout()
    request = json.loads(sys.stdin.readline())
    die_with(request["parent"])
    os.nice(NICENESS)
    if request["address_space"] is not None:
        resource.setrlimit(resource.RLIMIT_AS, (request["address_space"],) * 2)

    from zk import tasks  # ezkl loads here, under the limits

    result = tasks.TASKS[request["task"]](
        lambda phase: _say(answers, {"phase": phase}), **request["arguments"]
    )
    _say(answers, {"result": result, "cpu_s": _cpu_seconds(), "peak_rss_bytes": _peak_rss_bytes()})
    sys.stderr.flush()
    os._exit(0)


def _take_over_stdout() -> TextIO:
    """The real stdout; what ezkl prints goes to stderr instead."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _say(answers: TextIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _fail(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.__excepthook__(kind, error, trace)
    sys.stderr.flush()
    os._exit(1)


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _peak_rss_bytes() -> int:
    # Linux counts the parent's peak into ru_maxrss of a vforked process; VmHWM is this process alone.
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main()
