"""The directories that a proof's inputs lie in: private, and gone even where the process that proved was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from zk import scratch

_HOLDS = """
import sys, time
from zk import scratch
with scratch.scratch() as directory:
    (directory / "inputs").write_text("plain")
    print(directory, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_private_while_in_use_and_gone_afterwards() -> None:
    with scratch.scratch() as directory:
        assert directory.stat().st_mode & 0o077 == 0
        assert scratch.clean() == 0
        assert directory.is_dir()
    assert not directory.exists()


def test_what_a_killed_process_left_is_removed(temporary: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDS],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert holder.stdout is not None
    directory = Path(holder.stdout.readline().strip())
    assert scratch.clean() == 0  # it lives
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    assert (directory / "inputs").exists()
    assert scratch.clean() == 1
    assert not directory.exists()


def test_a_directory_that_is_about_to_be_locked_is_left_alone(temporary: Path) -> None:
    young, old = temporary / f"{scratch.PREFIX}young", temporary / f"{scratch.PREFIX}old"
    young.mkdir()
    old.mkdir()
    os.utime(old, (0, 0))
    assert scratch.clean() == 1
    assert young.is_dir()
    assert not old.exists()


def test_links_are_not_followed(temporary: Path) -> None:
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir()
    os.utime(elsewhere, (0, 0))
    (temporary / f"{scratch.PREFIX}link").symlink_to(elsewhere)
    assert scratch.clean() == 0
    assert elsewhere.is_dir()
