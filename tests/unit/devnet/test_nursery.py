"""Forked nodes are what started ones are, to their keeper and by themselves."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from marketplace.devnet.nursery import Forked, Nursery
from marketplace.errors import EXIT_STATUS, Reason

LONG_S = 60.0


@pytest.fixture(scope="module")
def nursery() -> Nursery:
    return Nursery(["marketplace.cli.main"])


def environment(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home), "FAIRSHARE_RPC": "http://127.0.0.1:1"}


def test_it_runs_a_command_to_its_end(nursery: Nursery, tmp_path: Path) -> None:
    node = nursery.start(["--version"], environment(tmp_path), tmp_path / "words")
    assert node.wait(LONG_S) == 0
    assert (node.poll(), node.returncode) == (0, 0)
    assert (tmp_path / "words").read_text().strip() == "0.1.0"
    node.send_signal(signal.SIGTERM)  # nothing is left to end


def test_a_refusal_is_its_exit_status_and_its_words(nursery: Nursery, tmp_path: Path) -> None:
    node = nursery.start(["no-such-command"], environment(tmp_path), tmp_path / "words")
    assert node.wait(LONG_S) == EXIT_STATUS[Reason.BAD_INPUT]
    assert "error[bad-input]" in (tmp_path / "words").read_text()


def test_it_has_its_own_environment(
    nursery: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIRSHARE_RPC", "http://127.0.0.1:2")
    node = nursery.start(["project", "list"], environment(tmp_path), tmp_path / "words")
    assert node.wait(LONG_S) != 0
    assert "127.0.0.1:2" not in (tmp_path / "words").read_text()


def test_it_is_ended_by_a_signal(nursery: Nursery, tmp_path: Path) -> None:
    node = waiting(nursery, tmp_path)
    with pytest.raises(subprocess.TimeoutExpired):
        node.wait(0.2)
    node.send_signal(signal.SIGKILL)
    assert node.wait(LONG_S) == -signal.SIGKILL


def waiting(nursery: Nursery, folder: Path) -> Forked:
    """A devnet, which runs until it is ended, once it has begun."""
    arguments = ["devnet", "up", "--foreground", "--dir", str(folder / "devnet")]
    node = nursery.start(arguments, environment(folder), folder / "words")
    give_up_at = time.monotonic() + LONG_S
    while not (folder / "devnet").exists():
        assert node.poll() is None
        assert time.monotonic() < give_up_at
        time.sleep(0.02)
    return node
