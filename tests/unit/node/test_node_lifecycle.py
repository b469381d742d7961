from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from marketplace.errors import FairshareError, Reason
from marketplace.node import logging
from marketplace.node.lifecycle import TRANSIENT, is_transient, keep_going, stop_on_signals


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    logging.configure(file=tmp_path / "logs" / "node.jsonl", role="trainer")
    return tmp_path / "logs" / "node.jsonl"


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_events_are_json_lines(log_file: Path) -> None:
    logging.logger(project=3).info("submitted", commitment=b"\x01\x02", round=1, note="a\nb")
    (event,) = lines(log_file)
    assert event["event"] == "submitted"
    assert event["role"] == "trainer"
    assert (event["project"], event["round"], event["commitment"]) == (3, 1, "0x0102")
    assert event["level"] == "info"
    assert str(event["timestamp"]).endswith("Z")


def test_transient_failures_are_tried_again(log_file: Path) -> None:
    failures = [Reason.CHAIN_UNREACHABLE, Reason.STORAGE_UNREACHABLE, Reason.UNAVAILABLE]
    calls = []

    def step() -> bool:
        calls.append(len(calls))
        if failures:
            raise FairshareError(failures.pop(0), "away", "wait")
        return len(calls) < 6

    keep_going(step, stop=threading.Event(), log=logging.logger(), first_pause_s=0.001)
    assert len(calls) == 6
    retries = [event for event in lines(log_file) if event["event"] == "will retry"]
    assert [event["reason"] for event in retries] == [
        "chain-unreachable",
        "storage-unreachable",
        "unavailable",
    ]


@pytest.mark.parametrize("reason", sorted(set(Reason) - TRANSIENT))
def test_other_failures_end_the_daemon(reason: Reason, log_file: Path) -> None:
    assert not is_transient(FairshareError(reason, "no"))

    def step() -> bool:
        raise FairshareError(reason, "no", "do this")

    with pytest.raises(FairshareError):
        keep_going(step, stop=threading.Event(), log=logging.logger())
    assert lines(log_file)[-1]["hint"] == "do this"


def test_programming_errors_are_not_swallowed(log_file: Path) -> None:
    def step() -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        keep_going(step, stop=threading.Event(), log=logging.logger())


DAEMON = """
import sys
from marketplace.errors import FairshareError, Reason
from marketplace.node import logging
from marketplace.node.lifecycle import keep_going, stop_on_signals
logging.configure(role="test")
with stop_on_signals() as stop:
    def step():
        print("ready", flush=True)
        if len(sys.argv) > 1:
            raise FairshareError(Reason.CHAIN_UNREACHABLE, "away", "wait")
        stop.wait()
        return True
    keep_going(step, stop=stop, log=logging.logger(), first_pause_s=3600)
print("clean end", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("arguments", [[], ["in-back-off"]])
def test_signals_end_a_daemon_cleanly(number: signal.Signals, arguments: list[str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", DAEMON, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (0, "clean end\n")
    assert all(json.loads(line)["role"] == "test" for line in errors.splitlines())


def test_a_signal_may_come_while_the_event_is_locked() -> None:
    """As it does when it meets the main thread inside `Event.wait`."""
    with stop_on_signals() as stop:
        with stop._cond:
            signal.raise_signal(signal.SIGTERM)
            assert not stop.is_set()
        assert stop.wait(60)
