"""The worker process: clear errors when it fails or is killed, and it dies with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from marketplace.errors import FairshareError, Reason
from zk import process

LONG = {"logrows": 18}  # an SRS of this size takes half a minute: long enough to be interrupted

PARENT = """
import sys
from zk import process
process.run("write_srs", {"path": sys.argv[1], "logrows": 18}, on_progress=lambda phase: print(phase, flush=True))
"""


def children_of(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listed.split()]


def wait_for_end(pid: int) -> None:
    while Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text():
        time.sleep(0.02)


def test_an_outcome_carries_what_was_used(tmp_path: Path) -> None:
    phases: list[str] = []
    arguments = {"path": str(tmp_path / "srs"), "logrows": 5}
    outcome = process.run("write_srs", arguments, on_progress=phases.append)
    assert phases == ["srs"]
    assert outcome.cpu_s > 0
    assert outcome.wall_s > 0
    assert 1 << 20 < outcome.peak_rss_bytes < 1 << 30
    assert (tmp_path / "srs").stat().st_size > 0


def test_a_failure_is_one_line_with_the_callers_reason(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    arguments = {"compiled": missing, "srs": missing, "vk": missing, "pk": missing}
    with pytest.raises(FairshareError, match="write_keys") as failed:
        process.run("write_keys", arguments, on_failure=Reason.INTEGRITY)
    assert failed.value.reason is Reason.INTEGRITY
    assert "\n" not in failed.value.message


def test_a_killed_worker_is_a_clear_error(tmp_path: Path) -> None:
    def kill_it(_: str) -> None:
        for child in children_of(os.getpid()):
            if b"zk.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(child, signal.SIGKILL)

    with pytest.raises(FairshareError, match="killed") as failed:
        process.run("write_srs", {"path": str(tmp_path / "srs"), **LONG}, on_progress=kill_it)
    assert failed.value.reason is Reason.INTERNAL


def test_an_interrupted_caller_takes_its_worker_along(tmp_path: Path) -> None:
    workers: list[int] = []

    def interrupt(_: str) -> None:
        workers.extend(
            child
            for child in children_of(os.getpid())
            if b"zk.worker" in Path(f"/proc/{child}/cmdline").read_bytes()
        )
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        process.run("write_srs", {"path": str(tmp_path / "srs"), **LONG}, on_progress=interrupt)
    assert len(workers) == 1
    assert not Path(f"/proc/{workers[0]}").exists()


def test_a_worker_dies_with_its_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "srs")], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "srs\n"
    (worker,) = children_of(parent.pid)
    parent.kill()
    parent.communicate()
    wait_for_end(worker)
    assert not (tmp_path / "srs").exists()
